/**
 * A value that must not be seen: whatever prints, logs, serialises or interpolates it gets `shown` instead. Only
 * `reveal` gives the value, so each use of it can be found by that name.
 */
export class Secret {
  readonly #value: string;
  /** What people may see of it. */
  readonly shown: string;

  constructor(value: string, shown = '(secret)') {
    this.#value = value;
    this.shown = shown;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return this.shown;
  }

  toJSON(): string {
    return this.shown;
  }
}
