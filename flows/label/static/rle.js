// COCO run-length encoding: columns, one after another, background first.

function counts(text) {
  const found = [];
  for (let place = 0; place < text.length; ) {
    let value = 0;
    let shift = 0;
    let more = true;
    while (more) {
      const code = text.charCodeAt(place++) - 48;
      value |= (code & 31) << shift;
      shift += 5;
      more = (code & 32) !== 0;
      if (!more && code & 16 && shift < 32) value |= -1 << shift;
    }
    if (found.length > 2) value += found[found.length - 2];
    found.push(value);
  }
  return found;
}

// A mask as bytes in rows, 1 on the object.
export function decode(rle) {
  const [height, width] = rle.size;
  const mask = new Uint8Array(height * width);
  const runs = typeof rle.counts === "string" ? counts(rle.counts) : rle.counts;
  let at = 0;
  runs.forEach((run, number) => {
    if (number % 2) {
      for (let one = at; one < at + run; one++) mask[(one % height) * width + Math.floor(one / height)] = 1;
    }
    at += run;
  });
  return { height, width, mask };
}

export function encode({ height, width, mask }) {
  const runs = [];
  let value = 0;
  let run = 0;
  for (let x = 0; x < width; x++) {
    for (let y = 0; y < height; y++) {
      const now = mask[y * width + x];
      if (now !== value) {
        runs.push(run);
        run = 0;
        value = now;
      }
      run++;
    }
  }
  runs.push(run);
  return { size: [height, width], counts: runs };
}

export function boxOf({ height, width, mask }) {
  let [x0, y0, x1, y1] = [width, height, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (mask[y * width + x]) {
        x0 = Math.min(x0, x);
        x1 = Math.max(x1, x + 1);
        y0 = Math.min(y0, y);
        y1 = Math.max(y1, y + 1);
      }
    }
  }
  return x1 > x0 ? [x0, y0, x1, y1] : null;
}
