/** Something that is loaded: its state is a signal, only the latest request counts, stale answers are dropped. */
import { signal } from "../vendor/signals.js";

const IDLE = { status: "idle", data: null, error: null };

/**
 * @param {(abort: AbortSignal, ...args: any[]) => Promise<any>} load
 * @param {{delay?: number}} options milliseconds to wait for a newer request before loading.
 * @returns state (signal of {status: "idle"|"loading"|"ready"|"failed", data, error}), request, retry, reset.
 *   While it loads again, `data` keeps the last answer, so that nothing flickers.
 */
export function createResource(load, { delay = 0 } = {}) {
  const state = signal(IDLE);
  let controller = new AbortController();
  let timer;
  let latest = [];

  function cancel() {
    clearTimeout(timer);
    controller.abort();
    controller = new AbortController();
  }

  async function run(abort) {
    const settle = (next) => abort.aborted || (state.value = next);
    try {
      const data = await load(abort, ...latest);
      settle({ status: "ready", data, error: null });
    } catch (error) {
      settle({ status: "failed", data: null, error });
    }
  }

  function request(...args) {
    cancel();
    latest = args;
    state.value = { ...state.peek(), status: "loading", error: null };
    const abort = controller.signal;
    timer = setTimeout(() => run(abort), delay);
  }

  function reset() {
    cancel();
    state.value = IDLE;
  }

  return { state, request, retry: () => request(...latest), reset };
}
