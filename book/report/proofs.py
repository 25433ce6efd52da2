"""Proofs that sympy has checked, written for a reader."""

from collections.abc import Iterable

from sympy import latex

from analysis.proof import Proof, Step


def show(proof: Proof) -> None:
    """Display a proof step by step, each equation rendered from the sympy object checked."""
    from IPython.display import display

    text = markdown(proof)
    display({"text/markdown": text, "text/plain": text}, raw=True)


def show_steps(steps: Iterable[Step]) -> None:
    """Display the steps of a proof that needs no recurrence."""
    from IPython.display import display

    text = "\n\n".join(map(_written, steps))
    display({"text/markdown": text, "text/plain": text}, raw=True)


def markdown(proof: Proof) -> str:
    """Return a proof as Markdown: its recurrence, every step with its reason, its statement.

    Beside each reason stands what sympy found.

    >>> import analysis
    >>> print(markdown(analysis.prove_stacked()).splitlines()[0])
    **Recurrence.**
    """
    parts = [f"**Recurrence.**\n\n$${latex(proof.recurrence)}$$"]
    parts += [_written(step) for step in proof.steps]
    return "\n\n".join([*parts, f"**What was to be proved.**\n\n$${latex(proof.statement)}$$"])


def _written(step: Step) -> str:
    checked = "assumed" if step.assumed else f"sympy: left side − right side = {step.difference}"
    return f"**{step.name.capitalize()}**: {step.reason} *({checked})*.\n\n$${step.latex}$$"
