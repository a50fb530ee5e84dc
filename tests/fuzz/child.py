"""One target under atheris: ``python -m tests.fuzz.child TARGET [libFuzzer's options]``."""

import sys


def main():
    import atheris

    # Nothing of ours may be imported before this: only what is imported here is seen by the fuzzer.
    with atheris.instrument_imports(include=["streams"]):
        from tests.fuzz.corpus import TARGETS

    target = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
