// What is deployed, as far as every view needs it: project, region, and the services with their addresses.

import { read } from "./api.js";
import { learn } from "./palette.js";

export const deployment = { project: "", region: "", services: [] };

/** Take note of what /blueprint.json says, and say it in the header. */
export function note(about) {
  Object.assign(deployment, about);
  learn(deployment.services.map((service) => service.name).sort());
  document.getElementById("where").textContent = [deployment.project, deployment.region]
    .filter(Boolean)
    .join(" · ");
}

/** Ask for it now. Raises as `read` does. */
export async function refresh(signal) {
  note(await read("/blueprint.json", { signal }));
  return deployment;
}
