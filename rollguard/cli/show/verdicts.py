"""How later verdicts on a version are shown."""

from db.versions.verdicts import BadVerdict, VerdictsOnVersion
from rollguard.value_texts import time_text, verdicts_text


def verdict_texts(verdicts: VerdictsOnVersion) -> list[str]:
    """Say how many executions were judged later, and what the newest bad verdicts say."""
    if not verdicts.judged:
        return []
    return [
        verdicts_text(verdicts.judged, verdicts.bad),
        *(
            f"{time_text(each.judged_at)} {each.execution_id}: {_judgement(each)}"
            for each in verdicts.newest_bad
        ),
    ]


def _judgement(verdict: BadVerdict) -> str:
    by = "erased" if verdict.judged_by is None else f"says {verdict.judged_by}"
    return f"{verdict.why}, {by}" if verdict.why else by
