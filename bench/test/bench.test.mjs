// The parts of the benchmark that only compute.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFloor } from '../lib/floor.mjs';
import { GOALS, reaches, verdict, wording } from '../lib/goals.mjs';
import { MEASURES } from '../lib/measures.mjs';
import { parseIperf, parseLine, parseWrk } from '../lib/parse.mjs';
import { plot } from '../lib/plot.mjs';
import { figure, ratiosOf, tables } from '../lib/report.mjs';
import { factor, flat, scaleTables } from '../lib/scale.mjs';
import { cell, median, ratios, spread } from '../lib/statistics.mjs';

test('a median is the middle one, or between the two middle ones', () => {
  assert.equal(median([10, 9, 100]), 10);
  assert.equal(median([4, 1, 2, 3]), 2.5);
});

test('a spread leaves out what is not there', () => {
  assert.deepEqual(spread([3, Number.NaN, 1, 2]), { low: 1, middle: 2, high: 3 });
  assert.equal(spread([Number.NaN]), undefined);
  assert.equal(cell([], 1), 'not run');
  assert.equal(cell([1, 2, 4], 1), '2.0 (1.0 - 4.0)');
});

test('ratios are of the same round', () => {
  assert.deepEqual(ratios([1, 4], [2, 16]), [0.5, 0.25]);
});

test('a goal is met inclusively, and said so', () => {
  assert.ok(reaches({ atLeast: 0.4 }, 0.4));
  assert.ok(!reaches({ atLeast: 0.4 }, 0.39));
  assert.ok(reaches({ atMost: 5 }, 5));
  assert.ok(!reaches({ atMost: 5 }, 5.1));
  assert.equal(wording({ atLeast: 0.4 }), '>= 0.40');
  assert.equal(wording({ atMost: 90 }, 0), '<= 90');
  assert.equal(verdict({ atLeast: 1 }, 2), 'met');
  assert.equal(verdict({ atLeast: 1 }, 0.5), '**missed**');
  assert.equal(verdict(undefined, 0.5), '');
  assert.equal(verdict({ atLeast: 1 }, undefined), '');
});

test('half of a goal is half of what is wanted, or twice what is allowed', () => {
  assert.ok(reaches({ atLeast: 0.4 }, 0.2, 2));
  assert.ok(!reaches({ atLeast: 0.4 }, 0.19, 2));
  assert.ok(reaches({ atMost: 5 }, 10, 2));
  assert.ok(!reaches({ atMost: 5 }, 11, 2));
});

test('each goal but that of memory is about a measure', () => {
  const keys = new Set(MEASURES.map(({ key }) => key));
  assert.deepEqual(
    Object.keys(GOALS).filter((key) => !keys.has(key)),
    ['memory'],
  );
});

const WRK = `Running 2s test @ http://127.0.0.1:8080/1k.bin
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   300.10us  120.00us   3.10ms   80.00%
    Req/Sec    23.60k     1.00k   25.00k    70.00%
  Latency Distribution
     50%  226.00us
     75%  300.00us
     90%  400.00us
     99%    1.50ms
  46947 requests in 2.00s, 58.00MB read
Requests/sec:  23473.56
Transfer/sec:     29.00MB
`;

test('what wrk prints', () => {
  assert.deepEqual(parseWrk(WRK), { value: 23473.56, p50: 226, p99: 1500, errors: undefined });
  const failed = WRK.replace('Requests', '  Socket errors: connect 0, read 7, write 0, timeout 1\nRequests');
  assert.equal(parseWrk(failed).errors, 'connect 0, read 7, write 0, timeout 1');
  assert.throws(() => parseWrk('unable to connect to 10.0.0.1:80 Connection refused'), /Connection refused/);
});

test('what iperf3 prints', () => {
  const report = { end: { sum_received: { bits_per_second: 64e9, bytes: 40e9 } } };
  assert.deepEqual(parseIperf(`warning: x\n${JSON.stringify(report)}`), { value: 64, bytes: 40e9 });
  assert.throws(() => parseIperf('{"error":"unable to connect"}'), /iperf3: unable to connect/);
  assert.deepEqual(parseLine('noise\n{"open":3}\n'), { open: 3 });
});

/** Two rounds of three contenders, one of which fails once and does not do everything. */
function aRun() {
  const round = (value, cpu = 0.2) => ({ value, cpu });
  return {
    date: '2026-01-02',
    rounds: 2,
    commit: 'abc',
    versions: ['iperf 3'],
    machine: { kernel: '6.1', cpu: 'CPU', cores: 2, load: 0.1 },
    contenders: {
      veth: { note: 'kernel' },
      netcon: { note: 'ours' },
      pasta: { note: 'passt' },
      gvisor: { note: '', error: 'no runsc' },
    },
    results: {
      up1: { veth: [round(60), round(50)], netcon: [round(30), round(30)], pasta: [{ error: 'broken' }, round(10)] },
      rr: { veth: [round(100), round(100)], netcon: [round(50), round(60)] },
      'load-up': {
        veth: [
          { value: 100, p99: 100 },
          { value: 100, p99: 100 },
        ],
        netcon: [
          { value: 900, p99: 900 },
          { value: 400, p99: 400 },
        ],
      },
    },
    memory: {
      veth: { idleMiB: 0, held: [] },
      netcon: { idleMiB: 80, held: [{ count: 1000, open: 900, why: 'limit', miB: 90, slabMiB: 3, kib: 11.4 }] },
      gvisor: { error: 'no runsc' },
    },
    after: { netcon: { before: 80, after: 81 } },
  };
}

test('the tables hold each ratio with its spread, its goal and whether it was met', () => {
  const text = tables(aRun());
  assert.match(
    text,
    /^\| bulk, app to host, 1 stream \| 0\.55 \(0\.50 - 0\.60\) \| 0\.20 \(0\.20 - 0\.20\) \| >= 0\.40 \| met \|$/m,
  );
  assert.match(text, /^\| 64 bytes there and back \| 0\.55 \(0\.50 - 0\.60\) \| - \| >= 0\.90 \| \*\*missed\*\* \|$/m);
  assert.match(text, /\(less is better\) \| 6\.50 \(4\.00 - 9\.00\) \| - \| <= 5\.00 \| \*\*missed\*\* \|/);
  assert.match(text, /\*\*gvisor\*\*: not run: no runsc/);
  assert.match(text, /900 \(of 1000: limit\): 90\.0; 11\.4 KiB; 3/);
  assert.match(text, /an idle connection <= 8 KiB: \*\*missed\*\*/);
});

test('a plot has a bar for each ratio and a mark for each goal', () => {
  const svg = figure(aRun());
  assert.equal(svg.match(/<rect x="380"/g).length, 3);
  assert.equal(svg.match(/stroke="#cf222e"/g).length, 2);
  assert.ok(!plot('<t>', [{ text: 'a & b', bars: [{ name: 'x', ratio: 99 }] }]).includes('<t>'));
});

test('a round that reaches half of the goal is enough; three that do not are a failure', async () => {
  const run = aRun();
  delete run.results['load-up'];
  run.results.rr.netcon = [{ value: 10 }, { value: 10 }];
  const asked = [];
  const again = async (key) => {
    asked.push(key);
    run.results[key].veth.push({ value: 100 });
    run.results[key].netcon.push({ value: 44 });
  };
  const verdicts = await checkFloor(run, again);
  assert.deepEqual(asked, ['rr']);
  assert.deepEqual(
    verdicts.map(({ ok }) => ok),
    [true, false],
  );
  assert.match(verdicts[1].line, /^not ok 2 - rr: 0\.10, 0\.10, 0\.44 of kernel TCP; the goal is >= 0\.90/);
  assert.deepEqual(ratiosOf(run, 'rr', 'netcon'), [0.1, 0.1, 0.44]);

  run.results.rr.netcon[2].value = 46;
  assert.ok((await checkFloor(run, again))[1].ok);
  assert.deepEqual(asked, ['rr']);
});

test('a cost is flat when the most is three times the least', () => {
  assert.equal(factor([2, 1, 6]), 6);
  assert.ok(flat([1, 3]));
  assert.ok(!flat([1, 3.1]));
});

test('the tables of scale say nothing of one connection where there are few', () => {
  const row = { p50: 50.4, cpuUs: 20, cpuInTurnUs: 22, wakeUps: 0, miB: 80, kib: 4, pageTableKib: 4, afterMiB: 81 };
  const text = scaleTables(
    [
      { connections: 10, ...row },
      { connections: 1000, ...row },
    ],
    [{ connections: 10, othersIdle: 500, allInTurn: 510 }],
  );
  assert.match(text, /\| 10 \| 50 \| 20\.0 \| 22\.0 \| 0 \| 80\.0 \| - \| - \| 81\.0 \|/);
  assert.match(text, /\| 1000 \| 50 \| 20\.0 \| 22\.0 \| 0 \| 80\.0 \| 4\.0 \| 4\.0 \| 81\.0 \|/);
  assert.match(text, /\| 10 \| 500 \| 510 \|$/);
});
