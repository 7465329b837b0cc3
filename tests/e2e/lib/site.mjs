// A small web site on loopback, for pages that are not the server's own.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".wasm": "application/wasm", ".json": "application/json" };

/**
 * Serves texts by path and folders by prefix. @param {Record<string, string>} texts @param {Record<string, string>} [folders]
 */
export async function serve(texts, folders = {}) {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://site.invalid");
    try {
      const body = texts[pathname] ?? (await fromFolder(pathname, folders));
      const type = pathname.endsWith("/") ? "text/html" : (TYPES[extname(pathname)] ?? "application/octet-stream");
      response.writeHead(200, { "Content-Type": type }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** @param {string} pathname @param {Record<string, string>} folders */
async function fromFolder(pathname, folders) {
  const prefix = Object.keys(folders).find((start) => pathname.startsWith(start));
  const inside = normalize(pathname.slice(prefix?.length));
  if (prefix === undefined || inside.startsWith("..")) throw new Error("not here");
  return readFile(join(folders[prefix], inside));
}
