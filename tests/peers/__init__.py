"""The test suites of other libraries, read where they are installed, asking their questions of our losses.

A file here has adapters that dress a loss in the signature of a peer's, and the table of the cases that then answer
differently, each with its reason. A case that starts to agree or to differ is a failure. None of their code is here.
"""
