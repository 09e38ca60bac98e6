// What is stored while nobody waits for it.

export class Background {
  readonly #error: (fields: object, message: string) => void;
  /** The store takes nothing: until the next tick nothing more is tried. A full disk is not asked with every proof. */
  fails = false;

  constructor(error: (fields: object, message: string) => void) {
    this.#error = error;
  }

  /** Once a second. */
  tick(): void {
    this.fails = false;
  }

  /** It will be tried again. Told once a tick at most. */
  failed(error: unknown, what: string): void {
    if (!this.fails) this.#error({ err: error }, `${what} could not be stored; trying again`);
    this.fails = true;
  }

  /** A call nobody waits for: its failure is logged here. */
  own(call: Promise<unknown> | undefined, what: string): void {
    call?.catch((error: unknown) => this.#error({ err: error }, `${what} could not be stored`));
  }
}
