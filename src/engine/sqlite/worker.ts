// The storage thread's first file, from source and in the executable alike.
import { parentPort, workerData } from "node:worker_threads";
import { runThread, type ThreadData } from "./thread.ts";

if (parentPort === null) throw new Error("this file is a thread of pushbox, not a program");
runThread(parentPort, workerData as ThreadData);
