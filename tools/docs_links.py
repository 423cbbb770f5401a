# SPDX-License-Identifier: Apache-2.0
"""Hook of the documentation site: a link to a file outside docs/ becomes the file's path.

In a clone such links work; a site has only the pages.
"""

import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_: Any) -> str:
    """Return the page's text with links that stay inside the site."""
    docs = Path(config["docs_dir"]).resolve()
    folder = (docs / page.file.src_uri).parent

    def replaced(found: re.Match[str]) -> str:
        target = (folder / found[2]).resolve()
        if target.is_relative_to(docs):
            return found[0]
        return f"{found[1]} (`{target.relative_to(docs.parent)}`)"

    return _LINK.sub(replaced, markdown)
