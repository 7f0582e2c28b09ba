"""A storm: one training after the other is killed, stopped and, on demand, damaged, until it ends; and what was lost."""
import random
import shutil
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mmduet.engine.config_tools import ConfigError
from mmduet.io.text import counted
from mmduet.storm.comparison import differences, end_of
from mmduet.storm.damage import DAMAGES, last_intact
from mmduet.storm.ledger import Ledger
from mmduet.storm.trial import REFUSED, Accident, Training, Trial

KILLS_PER_RUN = 12
ERRORS = ('ENOSPC', 'EIO', 'EDQUOT', 'EROFS')
LOSSES = ('unresumable', 'lost_steps', 'lost_validations', 'unequal')


@dataclass
class Report:
    """What a storm did and what was lost: lists of sentences, empty where nothing was.

    Attributes:
        kills: by SIGKILL, by where they hit.
        stops: by SIGTERM.
        faults: file operations that failed, by the system's error, and damages.
        runs: trainings that came to their end.
        steps, redone: made in all, and those of them that had been made before.
        unresumable: trainings that would not go on.
        lost_steps: that went on before the last complete checkpoint.
        lost_validations: that ended without one that a training without kills has, or with another.
        unequal: whose end differs from that of a training without kills in a bit.
    """

    kills: Counter[str] = field(default_factory=Counter)
    stops: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    steps: int = 0
    redone: int = 0
    unresumable: list[str] = field(default_factory=list)
    lost_steps: list[str] = field(default_factory=list)
    lost_validations: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)

    @property
    def losses(self) -> list[str]:
        """All that was lost."""
        return [sentence for name in LOSSES for sentence in getattr(self, name)]

    def __str__(self) -> str:
        where = ', '.join(f'{name} {count}' for name, count in sorted(self.kills.items()))
        faults = ', '.join(f'{name} {count}' for name, count in sorted(self.faults.items()))
        lost = ', '.join(f'{name.replace("_", " ")} {len(getattr(self, name))}' for name in LOSSES)
        return (f'{counted(self.kills.total(), "kill")} ({where})\n{counted(self.stops, "stop")} by SIGTERM\n'
                f'{counted(self.faults.total(), "fault")}{f" ({faults})" if faults else ""}\n'
                f'{counted(self.runs, "training")} came to the end, after {counted(self.steps, "step")} of which '
                f'{self.redone} were made again\nlost: {lost}')


class Storm:
    """Trainings of one kind, and one of them that nothing happened to.

    Args:
        training: what is trained.
        folder: to work in; what is left there shows a loss. Folders of an earlier storm are replaced.
        seed: of what happens.
        faults: whether file operations fail and folders are damaged too.

    Raises:
        ConfigError: the training does not end, or there are folders that no storm made.
    """

    def __init__(self, training: Training, folder: Path, seed: int = 0, faults: bool = False) -> None:
        self.training, self.folder, self.report = training, folder, Report()
        self._draw, self._faults = random.Random(seed), faults
        ledger, begin = self._prepare('reference'), time.monotonic()
        trial = Trial(training, folder / 'reference/work', ledger)
        if any(trial.wait()):
            raise ConfigError(f'the training does not even end without kills; see {trial.log}')
        self._seconds = time.monotonic() - begin
        _, operations, seconds = ledger.read('finished')[0]
        self._operations, self._training_seconds = int(operations), float(seconds)
        self._validations = {entry[1]: entry for entry in ledger.read('validated')}
        self._end = end_of(folder / 'reference/work')

    def run(self, kills: int) -> Report:
        """Train again and again until so many kills were made; the last training comes to its end."""
        number = 0
        while self.report.kills.total() < kills and not self.report.losses:
            number += 1
            self._run_one(f'run{number}', kills)
        return self.report

    def _prepare(self, name: str) -> Ledger:
        folder, ledger = self.folder / name, Ledger(self.folder / name / 'ledger')
        if folder.exists() and not ledger.path.is_file():
            raise ConfigError(f'{folder} is there, and no storm made it: name another folder to work in')
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        ledger.path.touch()
        return ledger

    def _run_one(self, name: str, kills: int) -> None:
        ledger, work, most = self._prepare(name), self.folder / name / 'work', self.report.kills.total() + KILLS_PER_RUN
        damage = 0  # entries before the last one
        while True:
            intact, before = last_intact(work), len(ledger.read())
            saved = max((int(entry[1]) for entry in ledger.read()[damage:] if entry[0] == 'saved'), default=0)
            if intact < saved:
                self.report.lost_steps.append(f'{name}: the complete checkpoint of step {saved} is gone')
            calm = self.report.kills.total() >= min(kills, most)
            codes = self._trial(work, ledger, calm)
            entries = ledger.read()[before:]
            self._judge(name, codes, entries, intact)
            if self.report.losses or not any(codes):
                break
            if self._damage(work):
                damage = len(ledger.read())
        if not self.report.losses:
            self._judge_end(name, ledger, work)
            self.report.runs += 1
        if not self.report.losses:
            shutil.rmtree(self.folder / name)

    def _trial(self, work: Path, ledger: Ledger, calm: bool) -> list[int]:
        """Train once, with something happening unless ``calm``."""
        ways = ['operation', 'operation', 'moment', 'moment', 'signal', *['error'] * 2 * self._faults]
        way = 'calm' if calm else self._draw.choice(ways)
        accident = None
        if way in ('operation', 'error'):
            error = self._draw.choice(ERRORS) if way == 'error' else None
            accident = Accident(self._draw.randrange(1, self._operations + 1), error)
        steps = len(ledger.read('step'))
        trial = Trial(self.training, work, ledger, accident)
        try:
            if way in ('moment', 'signal'):
                self._wait_for_a_moment(trial, ledger, steps)
                trial.kill(signal.SIGKILL if way == 'moment' else signal.SIGTERM)
            codes = trial.wait()
        except KeyboardInterrupt:
            trial.kill()
            trial.wait()
            raise
        if way == 'moment' and -signal.SIGKILL in codes:
            self.report.kills['at a random moment'] += 1
        elif way == 'signal' and any(codes):
            # Before training begins there is nothing to save, and the signal ends the process as ever.
            self.report.stops += 1
        elif accident is not None and accident.error is not None and ledger.read('failed'):
            self.report.faults[accident.error] += REFUSED in codes
        return codes

    def _wait_for_a_moment(self, trial: Trial, ledger: Ledger, steps: int) -> None:
        """Until a random moment, from the start or from the first new step on, or until the trial has ended."""
        if self._draw.random() < 0.2:
            until = time.monotonic() + self._draw.uniform(0, self._seconds)
        else:
            while not trial.ended() and len(ledger.read('step')) == steps:
                time.sleep(0.005)
            until = time.monotonic() + self._draw.uniform(0, self._training_seconds)
        while not trial.ended() and time.monotonic() < until:
            time.sleep(0.002)

    def _judge(self, name: str, codes: list[int], entries: list[list[str]], intact: int) -> None:
        self.report.kills.update(' '.join(entry[1:]) for entry in entries if entry[0] == 'killed')
        expected = {0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM, REFUSED}
        killed = min(codes) < 0  # then other ranks may end in any way
        refused = REFUSED in codes and not any(entry[0] == 'failed' for entry in entries)
        if (set(codes) - expected or refused) and not killed:
            self.report.unresumable.append(f'{name}: exit codes {codes}; see {self.folder / name / "log"}')
        for entry in entries:
            if entry[0] == 'resumed' and int(entry[1]) < intact:
                self.report.lost_steps.append(f'{name}: went on from step {entry[1]}, with a checkpoint of step {intact}')
        self.report.steps += sum(entry[0] == 'step' for entry in entries)

    def _damage(self, work: Path) -> bool:
        """Perhaps damage what a trial left; whether it did so to a checkpoint. One intact checkpoint is always left."""
        if not self._faults or not work.is_dir() or self._draw.random() > 0.3 or len(list(work.glob('*.pth'))) < 3:
            return False
        name = self._draw.choice(list(DAMAGES))
        DAMAGES[name](work, self._draw)
        self.report.faults[name] += 1
        return True

    def _judge_end(self, name: str, ledger: Ledger, work: Path) -> None:
        made = ledger.read('validated')
        for step, entry in self._validations.items():
            same = [other == entry for other in made if other[1] == step]
            if not same or not all(same):
                self.report.lost_validations.append(f'{name}: that after step {step} ' + ('differs' if same else 'is missing'))
        steps = ledger.steps('step')
        self.report.redone += len(steps) - len(set(steps))
        if found := list(differences(self._end, end_of(work))):
            self.report.unequal.append(f'{name}: {len(found)} values differ, such as {found[0]}')
