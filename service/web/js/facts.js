/** Nested facts as a flat list of names and values: {"test": {"ndcg": 0.3}} -> [["test ndcg", "0.3"]]. */
export function flatten(facts, prefix = "") {
  return Object.entries(facts).flatMap(([key, value]) => {
    const name = prefix ? `${prefix} ${key.replaceAll("_", " ")}` : key.replaceAll("_", " ");
    return isGroup(value) ? flatten(value, name) : [[name, write(value)]];
  });
}

function isGroup(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function write(value) {
  if (typeof value === "number" && !Number.isInteger(value)) return value.toPrecision(4);
  return Array.isArray(value) ? value.join(", ") : String(value);
}
