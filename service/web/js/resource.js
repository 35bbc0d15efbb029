/** Something that is loaded: its state is a signal, only the latest request counts, stale answers are dropped. */
import { signal } from "../vendor/signals.js";

const IDLE = { status: "idle", data: null, error: null };

/**
 * @param {(abort: AbortSignal, ...args: any[]) => Promise<any>} load
 * @param {{delay?: number, pace?: number}} options milliseconds: `delay` to wait for a newer request before loading,
 *   `pace` from one loading to the next while `follow` is called.
 * @returns state (signal of {status: "idle"|"loading"|"ready"|"failed", data, error}), request, follow, retry, reset.
 *   While it loads again, `data` keeps the last answer, so that nothing flickers.
 */
export function createResource(load, { delay = 0, pace = 40 } = {}) {
  const state = signal(IDLE);
  let underway = []; // [number, controller], oldest first
  let timer = null;
  let started = 0;
  let lastStart = -Infinity;
  let latest = [];

  /** Gives up the loadings before a number; without one, all. */
  function cancel(before = Infinity) {
    underway.filter(([number]) => number < before).forEach(([, controller]) => controller.abort());
    underway = underway.filter(([number]) => number >= before);
  }

  async function run() {
    timer = null;
    lastStart = performance.now();
    const [number, controller] = [++started, new AbortController()];
    underway.push([number, controller]);
    const loading = load(controller.signal, ...latest);
    state.value = { ...state.peek(), status: "loading", error: null }; // drawn while the request is on its way
    const settle = (next) => {
      const isLatest = number === started && timer === null;
      if (controller.signal.aborted || (next.error && !isLatest)) return;
      cancel(number + 1); // itself too: it is done
      state.value = isLatest ? next : { ...next, status: "loading" };
    };
    try {
      const data = await loading;
      settle({ status: "ready", data, error: null });
    } catch (error) {
      settle({ status: "failed", data: null, error });
    }
  }

  function request(...args) {
    cancel();
    clearTimeout(timer);
    latest = args;
    state.value = { ...state.peek(), status: "loading", error: null };
    timer = setTimeout(run, delay);
  }

  /**
   * For something that moves: loads at once and then at a steady pace, always what was asked for last. An answer that
   * comes after a newer one is dropped, but not for a request that has no answer yet: so a slow line still moves.
   */
  function follow(...args) {
    latest = args;
    if (timer !== null) return;
    const wait = lastStart + pace - performance.now();
    if (wait <= 0) run();
    else timer = setTimeout(run, wait);
  }

  function reset() {
    cancel();
    clearTimeout(timer);
    timer = null;
    state.value = IDLE;
  }

  return { state, request, follow, retry: () => request(...latest), reset };
}
