"""From a replay to its page: what is asked for, checked before anything is read, and what is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from streams import rules, sources
from streams.replay.summary import Summary, caveats, counts
from streams.replay.what_if import changed
from streams.report import known, page, png
from streams.settings import Settings


@dataclass(frozen=True, slots=True)
class Report:
    """What ``--report`` asks for: a folder, other thresholds to try, a file of known episodes."""

    folder: Path
    what_ifs: tuple[str, ...] = ()
    episodes: Path | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """The same, checked."""

    folder: Path
    what_ifs: Sequence[tuple[str, Settings]]
    known: Sequence[known.Known] | None

    @staticmethod
    def of(report: Report, settings: Settings) -> Wanted:
        """Check it; ``ValueError`` says in one sentence what is wrong."""
        what_ifs = [(what_if, changed(settings, what_if)) for what_if in report.what_ifs]
        return Wanted(report.folder, what_ifs, known.read(report.episodes) if report.episodes else None)

    def write(self, forms: Mapping[Path, str], summary: Summary, played: Sequence[page.Played]) -> str:
        """Write page and pictures; return what to say of it."""
        stumbles = [sources.CAVEATS[form] for form in dict.fromkeys(forms.values()) if form in sources.CAVEATS]
        files, venues = [sources.name_of(path) for path in forms], rules.venues()
        replayed = page.Replayed(files, stumbles + caveats(summary), counts(summary), venues, played, self.known)
        pictures = page.write(self.folder, replayed)
        said = f"written: {self.folder / 'index.html'}"
        return f"{said}, {len(pictures)} PNGs" if png.write(self.folder, pictures) else f"{said}; {png.MISSING}"
