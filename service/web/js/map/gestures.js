/** Pointers on the map: one moves it or draws a lasso, two pinch it, a wheel zooms it, a short press chooses. */

const A_PRESS = 5; // pixels a pointer may stray and still have pressed
const A_TURN = 0.0016; // of the wheel, in powers of e for each pixel

/**
 * @param {{pan(dx, dy), zoom(factor, x, y), hover(x, y), leave(), press(x, y), draw(line), drawn(line), isDrawing(event)}} hand
 *   what the gestures do, in pixels of the window; a line is [[x, y], …].
 * @returns handlers for the element.
 */
export function gestures(hand) {
  const held = new Map(); // pointer -> where it is
  let [line, strayed] = [null, 0];

  const place = (event) => {
    const box = event.currentTarget.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };

  function onPointerDown(event) {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    held.set(event.pointerId, place(event));
    if (held.size === 1) [line, strayed] = [hand.isDrawing(event) ? [place(event)] : null, 0];
    else line = null;
  }

  function onPointerMove(event) {
    const now = place(event);
    const before = held.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") hand.hover(...now);
      return;
    }
    strayed += Math.hypot(now[0] - before[0], now[1] - before[1]);
    if (held.size > 1) pinch(event.pointerId, before, now);
    else if (line) hand.draw([...line.concat([now])]), line.push(now);
    else if (strayed > A_PRESS) hand.pan(now[0] - before[0], now[1] - before[1]);
    held.set(event.pointerId, now);
  }

  function pinch(pointer, before, now) {
    const [, other] = [...held].find(([id]) => id !== pointer);
    const apart = (point) => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
    hand.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  function onPointerUp(event) {
    if (!held.delete(event.pointerId) || held.size) return;
    if (line && strayed > A_PRESS) hand.drawn(line);
    else if (strayed <= A_PRESS) hand.press(...place(event));
    line = null;
  }

  function onWheel(event) {
    event.preventDefault();
    const pixels = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1);
    hand.zoom(Math.exp(-pixels * A_TURN * (event.ctrlKey ? 4 : 1)), ...place(event));
  }

  const onPointerCancel = (event) => held.delete(event.pointerId);
  const onPointerLeave = () => held.size || hand.leave();
  return { onPointerDown, onPointerMove, onPointerUp, onPointerCancel, onPointerLeave, onWheel };
}
