/** Server majors that can be named on the command line: those with a grammar (a test compares). Here, so that `--help` loads no parser. */
export const MAJORS: readonly string[] = ['15', '17'];
