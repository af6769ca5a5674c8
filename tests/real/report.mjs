// What a run found: lines for people, and the same as JSON. Every check is one line.
import { writeFileSync } from 'node:fs';

export class Report {
  constructor() {
    this.facts = {};
    this.checks = [];
  }

  say(text) { console.log(text); }

  note(name, value, text) {
    this.facts[name] = value;
    if (text !== undefined) this.say(`  ${text}`);
  }

  check(what, good, seen = '') {
    this.checks.push({ what, good: Boolean(good), seen: String(seen) });
    this.say(`  ${good ? 'ok    ' : 'FAILED'} ${what}${seen === '' ? '' : `: ${seen}`}`);
  }

  // 0 if all went well; nothing checked is a failure.
  end(jsonFile) {
    const failed = this.checks.filter((check) => !check.good).length;
    this.say(`real-engine: ${this.checks.length - failed} of ${this.checks.length} checks passed`);
    if (jsonFile) {
      const all = { facts: this.facts, checks: this.checks };
      writeFileSync(jsonFile, `${JSON.stringify(all, null, 2)}\n`);
    }
    return failed === 0 && this.checks.length > 0 ? 0 : 1;
  }
}

export const ms = (value) => (value === null ? '-' : `${Math.round(value)} ms`);
export const fine = (value) => (value === null ? '-' : `${value.toFixed(1)} ms`);
