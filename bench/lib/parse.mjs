// What the measuring programs print.

const MICROSECONDS = { us: 1, ms: 1e3, s: 1e6, m: 6e7 };

/** `wrk --latency`: requests a second, latencies in microseconds, and its line of socket errors, if any. */
export function parseWrk(text) {
  const rate = /^Requests\/sec:\s+([\d.]+)/m.exec(text);
  if (rate === null) throw new Error(`wrk: ${text.trim().slice(-300)}`);
  const latency = (percentile) => {
    const found = new RegExp(`^\\s+${percentile}%\\s+([\\d.]+)(us|ms|s|m)$`, 'm').exec(text);
    return found === null ? undefined : Number(found[1]) * MICROSECONDS[found[2]];
  };
  const errors = /^\s*(?:Socket errors|Non-2xx or 3xx responses): (.*)$/m.exec(text)?.[1];
  return { value: Number(rate[1]), p50: latency(50), p99: latency(99), errors };
}

/** `iperf3 -J`: Gbit/s and octets, as the receiver counts them. */
export function parseIperf(text) {
  const report = JSON.parse(text.slice(text.indexOf('{')));
  if (report.error) throw new Error(`iperf3: ${report.error}`);
  const { bits_per_second: rate, bytes } = report.end.sum_received;
  return { value: rate / 1e9, bytes };
}

/** A JSON object on a line of its own. */
export function parseLine(text) {
  return JSON.parse(text.slice(text.indexOf('{')));
}
