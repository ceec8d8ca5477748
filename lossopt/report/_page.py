"""Saved results of many experiments as one page of HTML that needs nothing but itself."""

import html
import re
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from ._results import load, Row, Saved, saved, shown


LONGEST_TABLE = 400  # rows of a table that the page repeats; the file has them all
SHORT_TABLE = 12  # rows of a table that is not folded away


def write_page(out_dir: str | PathLike[str], *, order: Iterable[str] = ()) -> Path:
    """Write `out_dir/index.html` from every folder of results there, those in `order` first; return its path."""
    out = Path(out_dir)
    partial = out / ".index.html.partial"
    partial.write_text(page([load(folder) for folder in saved(out, order=order)]), encoding="utf-8")
    return partial.replace(out / "index.html")


def page(experiments: Sequence[Saved]) -> str:
    """The page as text: verdicts first, then each experiment with its figures, claims, table and versions."""
    import jinja2

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters |= {"prose": prose, "words": words, "shown": shown, "first_sentence": first_sentence}
    return templates.get_template("page.html.j2").render(
        experiments=experiments, inline=inline_svg, columns=_columns, longest=LONGEST_TABLE, short=SHORT_TABLE
    )


def words(name: str) -> str:
    """A name as a heading: "outlier_sensitivity" -> "Outlier sensitivity"."""
    text = name.replace("_", " ")
    return text[:1].upper() + text[1:]


def first_sentence(text: str) -> str:
    """What a reader is told who cannot see the picture."""
    return re.split(r"(?<=[.!?])\s", " ".join(text.split()), maxsplit=1)[0]


def prose(text: str) -> Any:
    """Plain text as HTML: blank lines part paragraphs, `-` begins the item of a list, backticks mark code."""
    from markupsafe import Markup

    blocks = [block for block in re.split(r"\n\s*\n", text.strip()) if block]
    return Markup("\n".join(map(_block, blocks)))


def _block(text: str) -> str:
    escaped = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text.strip(), quote=False))
    lead, *items = re.split(r"(?:^|\n)\s*- ", escaped)
    listed = "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>" if items else ""
    return (f"<p>{lead}</p>" if lead.strip() else "") + listed


def inline_svg(svg: str, prefix: str, label: str) -> Any:
    """An SVG file as an element of a page: identifiers made the page's own, coordinates to a hundredth of a point.

    Args:
        svg: the text of the file.
        prefix: what its identifiers begin with, so that two figures' cannot meet.
        label: what stands in for the picture.
    """
    from markupsafe import Markup

    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{prefix}-', body)
    body = re.sub(r'href="#', f'href="#{prefix}-', body)
    body = re.sub(r"url\(#", f"url(#{prefix}-", body)
    body = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path.group()), body)
    size = re.search(r'<svg[^>]*?\swidth="([\d.]+)pt"', body)
    body = re.sub(r'\s(width|height)="[\d.]+pt"', "", body, count=2)
    wide = f"max-width:{float(size.group(1)) / 72 * 1.5:.1f}in" if size else ""
    attributes = f'role="img" aria-label="{html.escape(label)}" style="{wide}"'
    return Markup(body.replace("<svg", f"<svg {attributes}", 1))


def _columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))
