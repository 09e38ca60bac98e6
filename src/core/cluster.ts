// Port: the processes ("nodes") that share a store, what they ask and tell each other. Where there is one process there is none of this.
import type { Guess } from "./admin.ts";
import type { Lane } from "./delivery.ts";
import type { NotedLine } from "./trace.ts";

export interface NodeStatus {
  /** Rises with each start: no two have the same. */
  readonly node: number;
  /** As it is configured; several may have the same. */
  readonly name: string;
  /** Epoch milliseconds. */
  readonly started: number;
  /** Milliseconds since it last said that it lives. */
  readonly beat: number;
  /**
   * - `silent`: for some seconds
   * - `gone`: for so long that others do its work; told of for a day
   * - `left`: it was stopped; told of for a day
   */
  readonly state: "here" | "alive" | "silent" | "gone" | "left";
  /** What it does for all: keys of lanes, names of endpoints. */
  readonly lanes: readonly string[];
  readonly hooks: readonly string[];
}

/** By their number. */
export interface Answers<Answer> {
  readonly answers: ReadonlyMap<number, Answer>;
  /** Nodes that live and have not answered in time. */
  readonly silent: readonly number[];
}

/** Told to the others; nobody is answered. */
export interface News {
  /** Lanes have got something to send. */
  readonly filled: readonly Lane[];
  /** There may be jobs to expand, deliveries that nobody has in hand, or events for endpoints. */
  readonly work: null;
  /** A customer's own transaction has made jobs: one node takes them up. */
  readonly accepted: null;
  /** These jobs were paused or cancelled. */
  readonly withdrawn: readonly number[];
  /** Somebody reads the log of events for these patterns. */
  readonly readers: readonly string[];
  /** Lines for traces of the node `to`. */
  readonly traced: readonly { readonly to: number; readonly trace: string; readonly line: NotedLine }[];
  readonly untraced: string;
  /** A password was tried at the console of the node. */
  readonly guess: Guess;
}

export interface Cluster {
  /** This one. */
  readonly name: string;
  /** The number of this one. */
  node(): number;
  /** Whether this is the one that does what one of them is to do: the first of those that live. */
  leads(): boolean;
  /** Of a node that lives; else its number. */
  nameOf(node: number): string;
  /** By name, then number. */
  nodes(): Promise<readonly NodeStatus[]>;
  /**
   * Asks the others that live. Questions and answers are JSON.
   * @param to only this node @param patience milliseconds
   */
  ask<Answer>(question: string, args: readonly unknown[], to?: number, patience?: number): Promise<Answers<Answer>>;
  /** From here on this node answers the question. One that cannot be answered counts as unheard. */
  answer(question: string, answer: (...args: readonly never[]) => Promise<unknown>): void;
  /** Tells the others; nobody answers. */
  tell<Kind extends keyof News>(kind: Kind, news: News[Kind]): void;
  /** Calls `heard` with what others tell from here on. */
  hear<Kind extends keyof News>(kind: Kind, heard: (news: News[Kind]) => void): void;
}
