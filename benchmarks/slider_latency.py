"""From a slider's movement to the repainted list, in the browser, on the published demo shop.

Serves the store on this machine, opens the page with its first example in headless Chromium, and moves the first slider from
one end to the other and back. A movement lasts from the slider's input event to the first frame after the list has changed:
the request, the ranking, the drawing.

    python -m benchmarks.slider_latency [--store artifacts/store] [--moves 40]
"""

import argparse
import os
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from playwright.sync_api import Page, sync_playwright

from benchmarks.machine import describe
from macrid.artifacts.store import Store
from macrid.service.app import create_app
from macrid.service.settings import Settings

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]

# Resolves with the milliseconds from the input event to the frame that shows another list.
MOVE = """(slider, value) => new Promise((done, fail) => {
  const list = document.querySelector(".ranking .grid");
  const started = performance.now();
  const painted = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - started)));
  const observer = new MutationObserver(() => { observer.disconnect(); painted(); });
  observer.observe(list, { childList: true, characterData: true, subtree: true });
  setTimeout(() => fail(new Error("the list did not change")), 5000);
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(slider, value);
  slider.dispatchEvent(new Event("input", { bubbles: true }));
})"""


@contextmanager
def serving(store: Path) -> Iterator[str]:
    """Serve a store on a free port of this machine; yields its address."""
    server = uvicorn.Server(uvicorn.Config(create_app(Settings(store=store)), port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/"
    server.should_exit = True
    thread.join(timeout=5)


def measure(page: Page, moves: int) -> list[float]:
    """Milliseconds of each movement of the first slider; the first two movements warm up and do not count."""
    page.locator(".example").first.click()
    slider = page.locator(".turn input").first
    slider.wait_for()
    page.wait_for_load_state("networkidle")
    times = []
    for number in range(moves + 2):
        times.append(float(slider.evaluate(MOVE, "0.02" if number % 2 else "0.98")))
        page.wait_for_timeout(150)  # so that every movement begins in peace
    return times[2:]


def main() -> None:
    """Measure the current version of a store and print a line of Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("artifacts/store"))
    parser.add_argument("--moves", type=int, default=40)
    arguments = parser.parse_args()
    version = Store(arguments.store).current()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with serving(arguments.store) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address, wait_until="networkidle")
        times = sorted(measure(page, arguments.moves))
        print(f"{version}; {describe()}, Chromium {browser.version} without a GPU\n")
        browser.close()
    late = times[round(0.95 * (len(times) - 1))]
    print(f"Load average of the last minute: {os.getloadavg()[0]:.1f}\n")
    print("| movements | median | 95 % | fastest | slowest |\n|---|---|---|---|---|")
    row = (f"{value:.0f} ms" for value in (statistics.median(times), late, times[0], times[-1]))
    print(f"| {len(times)} | {' | '.join(row)} |")


if __name__ == "__main__":
    main()
