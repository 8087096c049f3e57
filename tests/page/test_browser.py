"""The page in a real browser: nothing missing, nothing overflows, nothing too small to read.

Needs ``pip install playwright`` and Debian's ``chromium``; skipped without them.
"""

import made_run
import numpy as np
import pytest

from daskid.page import report

WIDTHS, SCHEMES = (400, 1600), ("light", "dark")
FIGURES = {"hostile": 3, "landscape": 16}  # seen in one scheme


@pytest.fixture(scope="module", params=[*FIGURES])
def path(request, tmp_path_factory, states_run, replicates):
    ds = made_run.run(3000).assign_coords(time=("sample", np.arange(3000)))
    if request.param == "landscape":
        ds = states_run().assign(replicates())
    if request.param == "hostile":
        text = "<script>document.title = 'owned'</script>" + "long" * 2500
        ds = ds.assign_attrs(source=text, history=text)
        names = np.array([text, "\u05e9\u05dc\u05d5\u05dd"], object)
        ds = ds.assign_coords(name=("feature", names))
        ds["neighbor_distance"].attrs |= {"method": text, "fingerprint": text}
    return report(ds, tmp_path_factory.mktemp(request.param) / "page.html", interactive=False)


@pytest.fixture(
    scope="module",
    params=[(w, s) for w in WIDTHS for s in SCHEMES],
    ids=lambda p: f"{p[0]}-{p[1]}",
)
def opened(request, browser, path):
    """An open page, what it complained about, and what it asked the network for."""
    width, scheme = request.param
    size = {"width": width, "height": 900}
    context = browser.new_context(viewport=size, color_scheme=scheme, offline=True)
    page = context.new_page()
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(path.as_uri())
    page.scheme, page.figures = scheme, FIGURES[path.parent.name.rstrip("0123456789")]
    page.screenshot(path=path.with_name(f"{width}-{scheme}.png"), full_page=True)
    yield page
    context.close()


def test_page__opens_without_complaint_and_without_network(opened):
    assert opened.complaints == []
    assert [url[:5] for url in opened.requests if not url.startswith("data:")] == ["file:"]
    assert opened.title().startswith("daskid: ")


def test_page__fits_the_width(opened):
    width, inner = opened.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= inner


def test_page__images_are_drawn(opened):
    sizes = opened.evaluate(
        """() => Promise.all([...document.querySelectorAll('image, img')].map(async element => {
            const image = new Image();
            image.src = element.href ? element.href.baseVal : element.src;
            await image.decode();
            return image.naturalWidth * image.naturalHeight;
        }))"""
    )
    assert len(sizes) >= 2
    assert min(sizes) > 0


def test_page__figures_are_seen_once_and_their_text_is_readable(opened):
    sizes = opened.evaluate(
        """() => [...document.querySelectorAll('svg')]
            .filter(e => e.getBoundingClientRect().width > 0)
            .map(e => {
                const scale = e.getBoundingClientRect().width / e.viewBox.baseVal.width;
                return [...e.querySelectorAll('text')]
                    .map(t => scale * parseFloat(getComputedStyle(t).fontSize));
            })"""
    )
    assert len(sizes) == opened.figures  # of two drawings, only that for this scheme
    assert all(len(texts) > 5 for texts in sizes)
    assert min(size for texts in sizes for size in texts) > 9  # pixels


def luminance(color):
    channels = [float(c) / 255 for c in color[color.index("(") + 1 : -1].split(",")[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(
    ("selector", "least"),
    [
        ("main li", 7), ("svg text", 7), ("figcaption", 4.5), ("a[href='#data']", 4.5),
        (".caution li", 7), ("thead th", 4.5), ("td", 7),
    ],
)  # fmt: skip
def test_page__text_has_contrast(opened, selector, least):
    colors = opened.evaluate(
        """selector => {
            const e = [...document.querySelectorAll(selector)]
                .find(e => e.getBoundingClientRect().width > 0);
            const style = getComputedStyle(e);
            const box = e.closest('.caution') || document.documentElement;
            return [e.tagName === 'text' ? style.fill : style.color,
                    getComputedStyle(box).backgroundColor];
        }""",
        selector,
    )
    assert contrast(*colors) >= least
    assert (luminance(colors[1]) > 0.5) == (opened.scheme == "light")


def test_page__lines_of_figures_have_contrast(opened):
    """Points and lines need 3 : 1, WCAG 1.4.11."""
    colors = opened.evaluate(
        """() => {
            const root = document.documentElement, probe = document.createElement('i');
            root.append(probe);
            return ['--blue', '--vermilion', '--green', '--gray', '--paper'].map(name => {
                probe.style.color = `var(${name})`;
                return getComputedStyle(probe).color;
            });
        }"""
    )
    *lines, paper = colors
    assert min(contrast(line, paper) for line in lines) >= 3
