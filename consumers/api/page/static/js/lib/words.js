/** What a word of the page means, for who points at it: the same wherever the word stands. */

export const HELP = {
  lastHeard: "When something was last heard of a process of the run: it says that it is alive every 15 s",
  allSoFar: "Every event that was reported so far has arrived; more may come",
  complete: "Every process said how many events it reported, and all of them are here",
  missing: "Numbers of events that were reported and never arrived",
  uncounted: "Events were lost before they could be counted: a process died with no room to keep them",
  givenUp: "There was no room for them, or the run reported more than it may: they were left out, and counted",
  notUnderstood:
    "Events that are recorded but could not be read; the run is shown without them. `synapse-stream parked` lists them",
  notEnded: "Processes that began with the run and never said how they ended",
  damaged: "Something that is stored of the job cannot be read; where it can be, it is made anew",
  died: "Died without ending their run",
  otherAttempt: "Two attempts of a job report at the same time; the newer one is shown first",
};
