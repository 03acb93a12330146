// The scheduler alone, in this process: what each step costs when the relay is as large as it is meant to get.
import { percentiles } from "../figure.ts";
import { benchScheduler } from "../scheduler.ts";
import type { Case } from "./case.ts";

const STEP_P99_MICROS = 20;

export const scheduler: Case = {
  name: "scheduler",
  method: "Steps of the scheduler with 100,000 waiting requests, 1,000 workers and 500 models, ten of them per worker.",
  measure: ({ isQuick }) => {
    const { steps, position } = benchScheduler(isQuick);
    const figures = Object.entries(steps).flatMap(([type, summary]) => {
      return percentiles(`step: ${type}`, "µs", summary, null, type === "all" ? { p99: { of: "relayed", atMost: STEP_P99_MICROS } } : {});
    });
    return Promise.resolve([...figures, ...percentiles("a request's position", "µs", position, null)]);
  },
};
