/**
 * The Node http server of the tests: http-server.mjs HOST PORT. GET /bytes/N answers with pattern(N),
 * PUT and POST /upload answer with the length and SHA-256 of what came.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pattern } from '../lib/pattern.mjs';

const [host, port] = process.argv.slice(2);

createServer(async (request, response) => {
  if (request.method === 'GET') {
    const size = Number(request.url.split('/').at(-1));
    response.setHeader('content-length', size);
    Readable.from(pattern(size), { objectMode: false, highWaterMark: 262_144 }).pipe(response);
    return;
  }
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of request) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  response.end(JSON.stringify({ bytes, sha256: hash.digest('hex') }));
}).listen({ host, port: Number(port), exclusive: true }, function listening() {
  console.log(`listening on ${this.address().port}`);
});
