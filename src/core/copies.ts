// Port: copies of the store that the server makes, keeps in a folder and puts back at its next start.

export interface Copy {
  readonly name: string;
  readonly bytes: number;
  /** When it was made, milliseconds since 1970. */
  readonly at: number;
  /** What the last restore replaced: it is beside the data, not in the folder. */
  readonly replaced?: true;
}

export type CopyTask = "backup" | "check" | "restore";

/** What was found in a copy that is whole. */
export interface Content {
  readonly devices: number;
  /** Of the tables. */
  readonly format: number;
}

export interface CopyWork {
  readonly task: CopyTask;
  /** Of the copy. */
  readonly name: string;
  readonly who: string;
  readonly began: number;
  /** Bytes that are written, of so many. Absent: it is read, which cannot be seen. */
  readonly written?: number;
  readonly of?: number;
  readonly ended?: number;
  /** Why it failed. */
  readonly error?: string;
  readonly content?: Content;
}

/** What the next start puts in the place of the data. */
export interface Staged extends Content {
  readonly name: string;
  readonly who: string;
  /** When it was asked for. */
  readonly at: number;
}

export interface CopiesView {
  /** Where they are, on the server. */
  readonly folder: string;
  /** Bytes of the data, and how many the folder has room for. */
  readonly size: number;
  readonly free: number;
  /** Newest first. */
  readonly copies: readonly Copy[];
  /** What runs, or ran last. */
  readonly work?: CopyWork;
  readonly staged?: Staged;
}

export interface Copies {
  look(): Promise<CopiesView>;
  /**
   * Begins; one at a time. `restore` prepares the copy for the next start and changes nothing until then.
   * @param name of the copy; of `backup` none
   * @param ended what came of it
   * @throws PushError "conflict" while another runs, "invalid" for an unknown copy, "unavailable" where there is no room
   */
  begin(task: CopyTask, name: string | undefined, who: string, ended: (work: CopyWork) => void): Promise<CopyWork>;
  /** The file of a copy. @throws PushError "invalid" */
  file(name: string): Promise<{ readonly path: string; readonly bytes: number }>;
  /** @throws PushError "conflict" while it is used */
  remove(name: string): Promise<void>;
  /** What is prepared is put back no more. @returns false: nothing was */
  unstage(): Promise<boolean>;
}
