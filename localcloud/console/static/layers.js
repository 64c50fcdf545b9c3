// Places for a map's nodes: layers from left to right by the longest way from outside, no matter if there are cycles.

const WIDTH = 200,
  HEIGHT = 58,
  GAP_X = 104,
  GAP_Y = 26,
  MARGIN = 16;

/** `nodes`: [{name}], `edges`: [{from, to}]; the result has x and y of every name, and the size of the whole. */
export function layers(nodes, edges) {
  const columns = ordered(nodes, depths(nodes, edges), edges),
    tallest = Math.max(...columns.map((column) => column.length), 1),
    height = long(tallest, HEIGHT, GAP_Y),
    places = new Map();
  columns.forEach((column, index) => {
    const top = MARGIN + (height - long(column.length, HEIGHT, GAP_Y)) / 2;
    column.forEach((name, at) =>
      places.set(name, { x: MARGIN + index * (WIDTH + GAP_X), y: top + at * (HEIGHT + GAP_Y) }),
    );
  });
  return {
    places,
    width: 2 * MARGIN + long(columns.length, WIDTH, GAP_X),
    height: 2 * MARGIN + height,
    node: { width: WIDTH, height: HEIGHT },
  };
}

const long = (number, size, gap) => number * (size + gap) - gap;

function depths(nodes, edges) {
  const depth = new Map(nodes.map((node) => [node.name, 0]));
  // A cycle would push its members on for ever: a node moves at most once for each other node.
  for (let round = 0; round < nodes.length; round++) {
    let moved = false;
    for (const { from, to } of edges) {
      if (from !== to && depth.get(to) <= depth.get(from) && depth.get(from) < nodes.length - 1) {
        depth.set(to, depth.get(from) + 1);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return depth;
}

/** The names by depth; each column is ordered by where its callers are, so that lines cross little. */
function ordered(nodes, depth, edges) {
  const columns = [];
  for (const { name } of nodes) (columns[depth.get(name)] ??= []).push(name);
  const filled = columns.filter(Boolean);
  filled.forEach((column, index) => {
    if (!index) return;
    const rank = new Map(column.map((name) => [name, middle(name, filled[index - 1], edges)]));
    column.sort((a, b) => rank.get(a) - rank.get(b) || a.localeCompare(b));
  });
  return filled;
}

function middle(name, before, edges) {
  const callers = edges
    .filter((edge) => edge.to === name)
    .map((edge) => before.indexOf(edge.from))
    .filter((at) => at >= 0);
  return callers.length ? callers.reduce((a, b) => a + b) / callers.length : before.length;
}
