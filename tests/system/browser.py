"""A page in a real browser: Debian's chromium, driven by Playwright, with no way out to a network."""

import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from packages import need, program
from playwright.sync_api import Page, sync_playwright

DEVICES = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True},
}
SCHEMES = ("light", "dark")
PATIENCE = 120_000  # milliseconds until a page is ready, on a machine that does other things too

# Runs before the page's own scripts: when the page says that its first screen is drawn and usable.
WATCH = """
new MutationObserver((_, observer) => {
  if (document.documentElement?.dataset.ready === "true") {
    window.readyAfter = performance.now();
    observer.disconnect();
  }
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-ready"] });
"""

# The marks of a Vega view, counted by type; axes, legends and titles are none.
MARKS = """
name => {
  const counts = {};
  const visit = group => {
    for (const mark of group.items ?? []) {
      if (mark.marktype && mark.role === "mark" && mark.marktype !== "group") {
        counts[mark.marktype] = (counts[mark.marktype] ?? 0) + mark.items.length;
      } else {
        visit(mark);
      }
    }
  };
  visit(winit.views[name].scenegraph().root);
  return counts;
}
"""


@dataclass
class Opened:
    """A page, and what it did that a file which needs no network and has no error does not do."""

    page: Page
    name: str
    errors: list[str] = field(default_factory=list)
    """What it wrote to the console as an error, and what it raised."""
    warnings: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """Addresses that it asked for beside its own; none was reached."""

    @property
    def seconds(self):
        """From the start of navigation until the page said that it was ready."""
        return self.page.evaluate("window.readyAfter") / 1000

    @property
    def overflow(self):
        """By how many pixels the page is wider than the screen."""
        # Not innerWidth: a phone's browser zooms out until a page that is too wide fits into it.
        width = self.page.evaluate("document.scrollingElement.scrollWidth")
        return max(0, width - self.page.viewport_size["width"])

    def views(self):
        """The names of the Vega views that the page shows."""
        return self.page.evaluate("Object.keys(winit.views)")

    def rows(self, view, data):
        """The rows of a view's data set, as the view has them after its filters."""
        return self.page.evaluate(
            "([view, data]) => winit.views[view].data(data).map(row => ({ ...row }))", [view, data]
        )

    def marks(self, view):
        """How many marks of each type a view drew."""
        return self.page.evaluate(MARKS, view)

    def violations(self):
        """What axe finds to keep people out, by rule: how badly, and where."""
        found = Axe().run(self.page).response["violations"]
        return {
            rule["id"]: (rule["impact"], [" ".join(map(str, node["target"])) for node in rule["nodes"]])
            for rule in found
        }

    def barriers(self):
        """The rules among them that are serious or critical."""
        return {rule for rule, (impact, _) in self.violations().items() if impact in {"serious", "critical"}}

    def screenshot(self, name=""):
        """The whole page as a picture, into the folder that WINIT_SCREENSHOTS names, if it does."""
        if folder := os.environ.get("WINIT_SCREENSHOTS"):
            path = Path(folder) / f"{self.name}{name and '-'}{name}.png"
            self.page.screenshot(path=path, full_page=True)


@contextmanager
def chromium():
    """The browser. Skips the test where it is not there and cannot be installed."""
    need("chromium", programs=["chromium"])
    # Root has no sandbox; its pages are the project's own.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program("chromium"), args=arguments)
        yield browser
        browser.close()


@contextmanager
def opened(browser, path, device="desktop", scheme="light", name=None):
    """The page in a file, in a context of its own, once it says that it is ready."""
    context = browser.new_context(color_scheme=scheme, offline=True, **DEVICES[device])
    context.set_default_timeout(PATIENCE / 4)
    context.add_init_script(WATCH)
    opening = Opened(context.new_page(), f"{name or path.stem}-{device}-{scheme}")

    def asked(request):
        if request.url != path.as_uri() and not request.url.startswith(("data:", "blob:")):
            opening.asked.append(request.url)

    def said(message):
        {"error": opening.errors, "warning": opening.warnings}.get(message.type, []).append(message.text)

    context.on("request", asked)
    context.on("console", said)
    context.on("weberror", lambda error: opening.errors.append(str(error.error)))
    opening.page.on("websocket", lambda socket: opening.asked.append(socket.url))
    try:
        opening.page.goto(path.as_uri(), timeout=PATIENCE)
        opening.page.wait_for_function("window.readyAfter !== undefined")
        yield opening
    finally:
        context.close()
