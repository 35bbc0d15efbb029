/**
 * Pictures as addresses for an <img>. Where a key is in use, the service's own are fetched with it, when they come near the window.
 */
import { useEffect, useState } from "../vendor/hooks.js";
import { getPicture, pictureAddress } from "./api.js";
import { key } from "./key.js";

const NEAR = "400px";

const shown = new Map(); // address -> { url: Promise<string>, users }: one fetch for all places that show a picture

/**
 * @param {string | null} image as the API names it.
 * @param frame ref of the element that the picture will stand in.
 * @param {() => void} failed is called when it cannot be fetched.
 * @returns {string | undefined} what to write into `src`; undefined while it is fetched.
 */
export function usePicture(image, frame, failed) {
  const fetched = Boolean(image?.startsWith("/") && key.value);
  const [source, setSource] = useState(undefined);
  useEffect(() => {
    if (!fetched) return undefined;
    const address = pictureAddress(image);
    let [held, gone] = [false, false];
    const stop = whenNear(frame.current, () => {
      held = true;
      take(address).then((url) => gone || setSource(url), () => gone || failed());
    });
    return () => {
      gone = true;
      stop();
      if (held) leave(address);
      setSource(undefined);
    };
  }, [image, fetched]);
  if (fetched) return source;
  return image ? pictureAddress(image) : undefined;
}

function take(address) {
  if (!shown.has(address)) shown.set(address, { url: getPicture(address).then(URL.createObjectURL), users: 0 });
  shown.get(address).users += 1;
  return shown.get(address).url;
}

function leave(address) {
  const picture = shown.get(address);
  picture.users -= 1;
  if (picture.users > 0) return;
  shown.delete(address);
  picture.url.then(URL.revokeObjectURL, () => {});
}

function whenNear(element, act) {
  const watch = new IntersectionObserver(
    (seen) => {
      if (!seen.some(({ isIntersecting }) => isIntersecting)) return;
      watch.disconnect();
      act();
    },
    { rootMargin: NEAR },
  );
  watch.observe(element);
  return () => watch.disconnect();
}
