// Runs inside the image: serves the staged files on loopback and drives one engine after another.
//
//   node driver.mjs JOB.json
//
// JOB.json is written by stage.py. Standard output carries the protocol described in protocol.py, one JSON
// object a line, and nothing else.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { serve } from "./server.mjs";

const LOG_LIMIT = 16 * 1024 * 1024; // characters an engine may log; a test that prints for ever fills no disk

const job = JSON.parse(readFileSync(process.argv[2], "utf8"));
// No file of the lock is at hand and none may be fetched: with an empty one, whatever is installed comes from
// the local index, even a package (numpy) that Pyodide has a build of its own of.
const lock = JSON.parse(readFileSync(`${job.folders["/pyodide/"]}/pyodide-lock.json`, "utf8"));
lock.packages = {};

let current = null; // the Session that events now belong to

function print(record) {
  process.stdout.write(`${JSON.stringify(record)}\n`);
}

/** One start of an engine: from launch to its last event, its death, or a timer that ran out. */
class Session {
  constructor(progress) {
    this.run = randomUUID(); // so that a late event of a killed engine, or one that is made up, is known as such
    this.progress = progress;
    // The time is taken here: stopping a hung browser takes seconds that are not the test's.
    this.over = new Promise((resolve) => {
      this.end = (ending) => {
        this.ended = true;
        resolve({ ...ending, seconds: (performance.now() - this.since) / 1000 });
      };
    });
    this.enter("boot", "boot", job.boot_seconds);
  }

  /** What goes on now, in whose name a failure will be, and how long it may take. */
  enter(phase, nodeid, seconds = job.test_seconds) {
    this.phase = phase;
    this.nodeid = nodeid;
    this.since = performance.now();
    clearTimeout(this.timer);
    this.timer = setTimeout(
      () => this.end({ failure: `timeout: still running after ${seconds} s` }),
      seconds * 1000,
    );
  }

  /** Seconds that a test may take: a limit of its own, of its engine, or of all. */
  limit(nodeid) {
    const limits = job.seconds?.[this.progress.engine] ?? {};
    return limits[nodeid] ?? limits[nodeid.split("[")[0]] ?? limits[""] ?? job.test_seconds;
  }

  receive(event) {
    if (this.ended) return undefined; // it lost the race against its timer, and is being killed
    switch (event.event) {
      case "boot":
        this.progress.boot(event);
        return this.enter("session", "session");
      case "collecting":
        return this.enter("collect", event.nodeid);
      case "collected":
        if (job.strict && this.expected) return this.forged("the tests were collected twice");
        this.expected = counted(event.nodeids);
        this.remaining = event.nodeids.length;
        return this.enter("session", "session");
      case "start":
        this.enter("test", event.nodeid, this.limit(event.nodeid));
        return this.progress.report(event);
      case "case":
        if (!event.collection && !this.take(event.nodeid) && job.strict) {
          return this.forged(`${event.nodeid} was reported, and was not collected or reported before`);
        }
        this.settle(event);
        return this.enter("session", "session");
      case "warning":
        return this.progress.log("warning", event.text);
      case "fatal":
        return this.end({ failure: event.message });
      case "finish":
        if (job.strict && [0, 1].includes(event.status) && this.remaining > 0) {
          return this.forged(`${this.remaining} collected tests were not reported`);
        }
        return this.end({ status: event.status });
      default:
        return this.end({ failure: `unknown event ${JSON.stringify(event)}` });
    }
  }

  /** Strike a test off those that are to be reported; whether it was one. Tests of one name are counted. */
  take(nodeid) {
    const left = this.expected?.get(nodeid) ?? 0;
    if (left > 1) this.expected.set(nodeid, left - 1);
    else this.expected?.delete(nodeid);
    return left > 0;
  }

  /** End the session for what pytest does not do. The rest is not believed either. */
  forged(message) {
    [this.phase, this.nodeid, this.remaining] = ["session", "session", 0];
    return this.end({ failure: `the report of the tests is not pytest's: ${message}` });
  }

  settle(record) {
    (record.collection ? this.progress.ignored : this.progress.finished).push(record.nodeid);
    if (!record.collection) this.remaining -= 1;
    if (record.outcome === "passed") this.progress.ends = 0;
    this.progress.report(record);
  }

  /** Record the failure of what was going on; true if there is something left to run without it. */
  fail(message, seconds) {
    const collection = this.phase === "collect";
    const outcome = this.phase === "test" ? "failed" : "error";
    const known = this.progress.ignored.includes(this.nodeid); // leaving it out did not help, nor would it now
    this.take(this.nodeid);
    this.settle({ event: "case", nodeid: this.nodeid, outcome, seconds, message, output: "", collection });
    const expected = job.expected?.[this.progress.engine] ?? [];
    if (![this.nodeid, this.nodeid.split("[")[0]].some((name) => expected.includes(name))) this.progress.ends += 1;
    if (job.ends_in_a_row && this.progress.ends >= job.ends_in_a_row && ["collect", "test"].includes(this.phase)) {
      return this.giveUp(message);
    }
    return (collection && !known) || (this.phase === "test" && this.remaining > 0);
  }

  /** Leave out what is left, with a word on each test, and do not start again. */
  giveUp(message) {
    const why = `${this.progress.ends} interpreters in a row ended: ${headline(message)}`;
    const none = { event: "case", seconds: 0, output: "", collection: false };
    for (const nodeid of this.expected?.keys() ?? []) {
      this.progress.report({ ...none, nodeid, outcome: "skipped", message: `not run: ${why}` });
    }
    const hint = "the extension does not fit what it was compiled against, or each test needs more time than it gets";
    this.progress.report({ ...none, nodeid: "session", outcome: "error", message: `${why}; ${hint}` });
    return false;
  }
}

/** Names with the number of times that each is there: a collector of a package's own may give tests one name. */
function counted(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** The line of a failure that says what it was: JavaScript has it first, a Python traceback last. */
function headline(message) {
  const lines = message.trim().split("\n");
  return (lines[0].startsWith("Traceback ") ? lines.at(-1) : lines[0]).slice(0, 300);
}

/** What is known of one engine over all its starts. */
class Progress {
  constructor(engine) {
    this.engine = engine;
    this.finished = [];
    this.ignored = [];
    this.logged = 0;
    this.booted = false;
    this.ends = 0; // interpreters that ended, since the last test that passed
  }

  report(event) {
    print({ engine: this.engine, ...event });
  }

  boot(event) {
    if (!this.booted) this.report(event);
    this.booted = true;
  }

  log(stream, text) {
    if (this.logged > LOG_LIMIT) return;
    this.logged += text.length;
    this.report({ event: "log", stream, text });
    if (this.logged > LOG_LIMIT) this.report({ event: "log", stream: "harness", text: "the rest of the log was dropped" });
  }
}

/** Start the engine by the module of its name; see engines.py. */
async function load(engine, session) {
  const { start } = await import(`./${engine}.mjs`);
  return start(session);
}

/** Start the engine once and wait for its end; true if it has to be started again. */
async function attempt(progress) {
  const session = new Session(progress);
  current = session;
  const starting = load(progress.engine, {
    job,
    base: server.base,
    run: session.run,
    receive: (event) => session.receive(event),
    died: (message) => session.end({ failure: message }),
    log: (stream, text) => progress.log(stream, text),
  });
  starting.catch((error) => session.end({ failure: `the engine did not start: ${error.message}` }));
  const ending = await session.over;
  clearTimeout(session.timer);
  current = null;
  await starting.then((engine) => engine.stop()).catch(() => {});
  if (ending.failure !== undefined) {
    progress.log("harness", `${session.nodeid}: ${ending.failure}`);
    return session.fail(ending.failure, ending.seconds);
  }
  // 0: all passed, 1: some failed, 5: none collected (pytest.ExitCode); the rest leaves tests without a word.
  if (![0, 1, 5].includes(ending.status)) {
    const message = `pytest ended with status ${ending.status}; what it said is in the log`;
    return session.fail(message, ending.seconds);
  }
  return false;
}

const server = await serve(job.folders, {
  job: () => ({ ...job, lock, finished: current?.progress.finished, ignored: current?.progress.ignored }),
  event: (run, event) => current?.run === run && current.receive(event),
});
for (const engine of job.engines) {
  const progress = new Progress(engine);
  const began = performance.now();
  while (await attempt(progress));
  progress.report({ event: "end", seconds: (performance.now() - began) / 1000 });
}
process.exit(0);
