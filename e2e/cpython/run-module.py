"""Runs one of CPython's test modules and says of each test how it ended.

    run-module.py REPORT [--without FILE] [--only ID] NAME...

NAME is a module or a class in one. REPORT gets a JSON object a line: {"start": id}, then {"test": id, "outcome": "ok", "fail", "error" or
"skip", "detail": text}, at last {"end": number of tests}. unittest's own output is for people: what tests and their children print is mixed
into it. The tests
and classes in FILE, one a line, are left out.
"""

import argparse
import json
import os
import sys
import unittest

from test import support

# regrtest's resources, without sound, displays and gigabytes. "network" is asked for by modules that use the loopback only.
support.use_resources = ["cpu", "network", "subprocess", "walltime"]


class Report(unittest.TestResult):
    def __init__(self, path):
        super().__init__()
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.pid = os.getpid()
        self.current = None
        self.worst = ("ok", "")

    def say(self, **line):
        # A child that a test forked, and that came back here, is not the one that is asked.
        if os.getpid() == self.pid:
            os.write(self.fd, json.dumps(line).encode() + b"\n")

    def note(self, test, outcome, detail=""):
        if self.current is None:  # a class or module that could not be set up
            self.say(test=test.id(), outcome=outcome, detail=detail)
        elif self.worst[0] in ("ok", "skip"):
            self.worst = (outcome, detail)

    def startTest(self, test):
        super().startTest(test)
        self.current = test.id()
        self.worst = ("ok", "")
        self.say(start=self.current)

    def stopTest(self, test):
        super().stopTest(test)
        self.say(test=self.current, outcome=self.worst[0], detail=self.worst[1])
        self.current = None

    def addError(self, test, err):
        self.note(test, "error", self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        self.note(test, "fail", self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        if err is not None:
            text = f"{subtest.id()}\n{self._exc_info_to_string(err, subtest)}"
            self.note(test, "fail" if issubclass(err[0], test.failureException) else "error", text)

    def addSkip(self, test, reason):
        self.note(test, "skip", reason)

    def addUnexpectedSuccess(self, test):
        self.note(test, "fail", "unexpected success")


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("report")
    parser.add_argument("names", nargs="+")
    parser.add_argument("--without")
    parser.add_argument("--only")
    args = parser.parse_args()
    tests = list(flatten(unittest.defaultTestLoader.loadTestsFromNames(args.names)))
    if args.without:
        with open(args.without, encoding="utf-8") as file:
            without = set(file.read().split("\n"))
        tests = [test for test in tests if not {test.id(), test.id().rpartition(".")[0]} & without]
    if args.only:
        tests = [test for test in tests if test.id() == args.only]
    sys.argv = sys.argv[:1]
    report = Report(args.report)
    unittest.TestSuite(tests).run(report)
    report.say(end=len(tests))


if __name__ == "__main__":
    main()
