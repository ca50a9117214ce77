"""Suites of other projects, which judge evstore as a back end of theirs."""
