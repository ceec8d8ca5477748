"""One of two processes that train together and keep checkpoints: run by `test_sharding`.

`python tests/lost.py folder address process [parts]`: process 1 is killed once so many parts are done.
"""

import os
import signal
import sys

import jax
import numpy as np
import optax

import lossopt as lo
from lossopt import data, losses, store


def main(folder: str, address: str, process: str, parts: str = "") -> None:
    """Print the coefficients, or how another process was missed."""
    jax.distributed.initialize(
        address, num_processes=2, process_id=int(process), heartbeat_timeout_seconds=10, shutdown_timeout_seconds=10
    )
    jax.config.update("jax_enable_x64", True)
    mesh = jax.make_mesh((len(jax.devices()),), ("rows",))
    place = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("rows"))
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 4))
    table = data.Dataset(features, features @ np.ones(4) + rng.standard_t(2, 80))
    spread = jax.tree.map(lambda leaf: jax.make_array_from_callback(leaf.shape, place, lambda i: leaf[i]), table)
    save, done = store.Store.save, []

    def counted(self, name, arrays):
        save(self, name, arrays)
        done.append(name)
        if process == "1" and str(len(done)) == parts:
            os.kill(os.getpid(), signal.SIGKILL)

    store.Store.save = counted
    found = lo.fit(losses.log_cosh, spread, optimizer=optax.adam(0.1), num_steps=59, resume=folder, checkpoint_every=10)
    print("parts", ",".join(done))
    print("weights", *(float(weight).hex() for weight in np.asarray(found.params.weights)))


if __name__ == "__main__":
    main(*sys.argv[1:])
