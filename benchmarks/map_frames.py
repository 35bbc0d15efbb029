"""The map in the browser with as many points as one likes: what it takes to load, and the time from frame to frame as it moves.

Serves a generated bundle on this machine (random clusters, as hard to draw as anything), opens the map in headless
Chromium without a GPU, drags it about and zooms it for some seconds, a movement in every frame, and notes when frames come.

    python -m benchmarks.map_frames [--items 100000] [--seconds 4]
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from benchmarks.machine import describe
from benchmarks.slider_latency import QUIET, serving
from macrid.artifacts.store import Store
from tests.support.bundles import make_bundle

# Resolves with the milliseconds between frames, each of which moved the map.
MOVE = """([kind, seconds]) => new Promise((done) => {
  const map = document.querySelector(".map-window");
  const { left, top, width, height } = map.getBoundingClientRect();
  const [x, y] = [left + width / 2, top + height / 2];
  const at = (turn) => ({ clientX: x + 150 * Math.sin(turn), clientY: y + 100 * Math.cos(turn) });
  const send = (type, where) =>
    map.dispatchEvent(new PointerEvent(type, { pointerId: 1, button: 0, bubbles: true, ...where }));
  map.setPointerCapture = () => {};
  const times = [];
  let turn = 0;
  if (kind === "drag") send("pointerdown", at(0));
  const frame = (now) => {
    times.push(now);
    turn += 0.05;
    if (kind === "drag") send("pointermove", at(turn));
    else map.dispatchEvent(new WheelEvent("wheel", { deltaY: 60 * Math.cos(turn), cancelable: true, ...at(0) }));
    if (now - times[0] < 1000 * seconds) return requestAnimationFrame(frame);
    if (kind === "drag") send("pointerup", at(turn));
    done(times.slice(1).map((time, place) => time - times[place]));
  };
  requestAnimationFrame(frame);
})"""


def load(page: Page, address: str) -> tuple[float, float]:
    """Open the map; returns the seconds until its points are there, and the megabytes that `GET /map` took."""
    page.goto(address + "#v=map")
    page.locator(".map-points").wait_for(timeout=60_000)
    entry = "performance.getEntriesByType('resource').find((entry) => entry.name.endsWith('/map'))"
    page.wait_for_function(f"{entry} !== undefined")
    seconds, size = page.evaluate(f"[performance.now() / 1000, {entry}.encodedBodySize / 1e6]")
    return float(seconds), float(size)


def main() -> None:
    """Measure and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = make_bundle(Path(scratch) / "bundle", items=arguments.items, concepts=7, dimensions=8)
        Store(Path(scratch) / "store").publish(folder)
        browser = playwright.chromium.launch(executable_path=chromium, args=QUIET)
        print(f"{arguments.items:,} items; {describe()}, Chromium {browser.version} without a GPU, 1440 × 900\n")
        with serving(Path(scratch) / "store") as address:
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            seconds, megabytes = load(page, address)
            print(f"Loaded in {seconds:.1f} s; GET /map is {megabytes:.2f} MB compressed.\n")
            print("| movement | frames | median | 95 % | slowest |\n|---|---|---|---|---|")
            for kind in ("drag", "zoom"):
                times = sorted(page.evaluate(MOVE, [kind, arguments.seconds]))
                late = times[int(0.95 * len(times))]
                row = (f"{value:.0f} ms" for value in (statistics.median(times), late, times[-1]))
                print(f"| {kind} | {len(times)} | {' | '.join(row)} |")
        browser.close()


if __name__ == "__main__":
    main()
