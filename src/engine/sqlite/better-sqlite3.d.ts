// better-sqlite3 13 comes without types: what this program uses of it, and no more.
declare module "better-sqlite3" {
  export interface Statement<Args extends readonly unknown[], Row> {
    run(...args: Args): { readonly changes: number; readonly lastInsertRowid: number | bigint };
    get(...args: Args): Row | undefined;
    all(...args: Args): Row[];
    iterate(...args: Args): IterableIterator<Row>;
    /** From here on a row is its first column alone. */
    pluck<Value>(): Statement<Args, Value>;
  }

  export interface Options {
    readonly readonly?: boolean;
    readonly fileMustExist?: boolean;
    /** How long to wait for another connection's lock, in milliseconds. */
    readonly timeout?: number;
  }

  export default class Database {
    constructor(file: string, options?: Options);
    readonly inTransaction: boolean;
    readonly name: string;
    prepare<Args extends readonly unknown[], Row = unknown>(sql: string): Statement<Args, Row>;
    exec(sql: string): this;
    pragma(sql: string, options?: { readonly simple?: boolean }): unknown;
    /** `progress` returns how many pages the next step copies. */
    backup(
      file: string,
      options?: { progress(state: { readonly remainingPages: number; readonly totalPages: number }): number },
    ): Promise<unknown>;
    close(): this;
  }
}
