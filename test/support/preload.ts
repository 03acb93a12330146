// Loaded before every test file: a loaded machine is no failure, so tests have longer than the runner's 5 s before they count as hung.
import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(20_000);
