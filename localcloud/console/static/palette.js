// A colour for each service, the same in every view: those of the deployment by name, others as they are met.

const COLOURS = 8;
const known = [];

/** Take note of services; those of the deployment come first. */
export function learn(names) {
  for (const name of names) if (name !== "Cloud Run" && !known.includes(name)) known.push(name);
}

/** The class that carries the colour. Cloud Run's own spans are grey. */
export function colour(service) {
  if (service === "Cloud Run") return "c-platform";
  learn([service]);
  return `c-${known.indexOf(service) % COLOURS}`;
}
