// A colour for each object, well apart from its neighbours.

export function hue(id) {
  return (id * 137.508) % 360;
}

export const colour = (id) => `hsl(${hue(id)} 85% 55%)`;

export function rgb(id) {
  const [h, s, l] = [hue(id) / 60, 0.85, 0.55];
  const c = (1 - Math.abs(2 * l - 1)) * s;
  const x = c * (1 - Math.abs((h % 2) - 1));
  const parts = [[c, x, 0], [x, c, 0], [0, c, x], [0, x, c], [x, 0, c], [c, 0, x]][Math.floor(h) % 6];
  return parts.map((part) => Math.round(255 * (part + l - c / 2)));
}
