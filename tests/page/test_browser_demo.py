"""The pages that ``daskid demo`` wrote, in a browser: CI makes them by the README's first command.

``DASKID_PAGES=daskid-demo pytest tests/page/test_browser_demo.py`` looks at those of a folder.
"""

import os
from pathlib import Path

import pytest

FOLDER = os.environ.get("DASKID_PAGES", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="DASKID_PAGES=FOLDER says where pages are")


@pytest.mark.parametrize("width", [400, 1600])
@pytest.mark.parametrize("name", ["torsions", "distances"])
def test_demo__is_drawn_without_a_complaint(browser, name, width):
    complaints, requests = [], []
    page = browser.new_context(viewport={"width": width, "height": 900}, offline=True).new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url[:5]))
    page.goto((Path(FOLDER) / f"{name}.html").resolve().as_uri())
    page.wait_for_selector("#explore[data-ready]")
    page.screenshot(path=str(Path(FOLDER) / f"{name}-{width}.png"), full_page=True)
    assert page.locator("#explore canvas").count() >= 3
    assert page.locator("figure svg:visible").count() >= 8
    inner = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert inner[0] <= inner[1]
    assert "state" in page.locator("#summary").inner_text()
    assert complaints == []
    assert set(requests) <= {"file:", "data:"}
    page.context.close()
