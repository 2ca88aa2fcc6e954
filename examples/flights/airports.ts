/** Where the airports are: `airports.csv` has a code, a name, a city and coordinates for each. */

export type Airport = {
  readonly code: string;
  readonly name: string;
  readonly city: string;
  readonly state: string;
  /** Degrees, north positive. */
  readonly latitude: number;
  /** Degrees, east positive. */
  readonly longitude: number;
};

/** @throws when a line has fewer fields than the header names or a coordinate is not a number */
export function parseAirports(csv: string): Map<string, Airport> {
  const airports = new Map<string, Airport>();
  const lines = csv.split("\n").filter((line) => line.trim() !== "");
  for (const [index, line] of lines.slice(1).entries()) {
    const [code, name, city, state, , latitude, longitude] = splitCsvLine(line.trimEnd());
    const [north, east] = [Number(latitude), Number(longitude)];
    if (code === undefined || name === undefined || city === undefined || state === undefined || !Number.isFinite(north + east)) {
      throw new Error(`airports.csv, line ${index + 2} is not an airport: ${line}`);
    }
    airports.set(code, { code, name, city, state, latitude: north, longitude: east });
  }
  return airports;
}

/** Fields may be quoted; a quote inside one is doubled (RFC 4180, one record a line). */
function splitCsvLine(line: string): string[] {
  const fields: string[] = [];
  const pattern = /"((?:[^"]|"")*)"(?:,|$)|([^,]*)(?:,|$)/gy;
  while (pattern.lastIndex < line.length) {
    const match = pattern.exec(line);
    if (match === null) break;
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
  }
  return fields;
}
