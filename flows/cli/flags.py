"""A flow's parameters as flags: groups are flattened, and values put back into them."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import cyclopts
from pydantic import BaseModel, TypeAdapter, ValidationError

from core.errors import RefusedInput
from core.validation import explained
from flows.cli.refusals import flag_of, refusal
from flows.options import BackendOf, Panel, Positional


@dataclass(frozen=True)
class Flags:
    """The flags of one flow's command.

    Attributes:
        signature: what cyclopts makes flags of, `Positional` or by name; types without limits, which `validated` holds.
        group_of: the group's parameter, of each flag that belongs to a group.
        hints: the flow's own parameters, with limits.
    """

    signature: list[Parameter]
    group_of: Mapping[str, str]
    hints: Mapping[str, Any]

    def validated(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The flow's parameters from the flags that were given.

        Raises:
            RefusedInput: names each flag that is not accepted, its value, and what is accepted.
        """
        nested: dict[str, Any] = {}
        known = [flag.name for flag in self.signature]
        for name, value in given.items():
            if name not in known:
                alike = "".join(f"; did you mean {one!r}?" for one in get_close_matches(name, known, 1))
                raise RefusedInput(f"there is no parameter {name!r}{alike}")
            group = self.group_of.get(name)
            if group is None:
                nested[name] = value
            else:
                nested.setdefault(group, {})[name] = value
        parameters, refused = {}, []
        for name, value in nested.items():
            try:
                parameters[name] = TypeAdapter(self.hints[name]).validate_python(value)
            except ValidationError as error:
                refused += _refusals(name, name in self.group_of.values(), error)
        if refused:
            raise refused[0] if len(refused) == 1 else RefusedInput("; ".join(map(str, refused)))
        return parameters

    def spelt(self, refused: RefusedInput) -> RefusedInput:
        """A refusal in which parameters are called as their flags are."""
        names = "|".join(re.escape(flag.name) for flag in self.signature if "_" in flag.name)
        message = refusal(refused)
        return RefusedInput(re.sub(rf"(?<![\w/'\"-])({names})(?![\w/.'\"-])", lambda m: flag_of(m[1]), message))


def flags_of(flow_function: Callable[..., Any]) -> Flags:
    """Those of a flow's function; the description of a grouped one is its field's."""
    hints, types = get_type_hints(flow_function, include_extras=True), _types(flow_function)
    flags: list[Parameter] = []
    group_of: dict[str, str] = {}
    for place, parameter in enumerate(signature(flow_function).parameters.values()):
        group = types[parameter.name]
        if isinstance(group, type) and issubclass(group, BaseModel):
            panel = cyclopts.Group(group.model_config.get("title") or parameter.name.capitalize(), sort_key=place + 10)
            of_fields = _types(group)
            for name, field in group.model_fields.items():
                shown = cyclopts.Parameter(help=field.description, group=panel, converter=_converter(of_fields[name]))
                flags.append(_flag(name, Annotated[of_fields[name], shown], field.default))
                group_of[name] = parameter.name
        else:
            marks = getattr(hints[parameter.name], "__metadata__", ())
            shown = cyclopts.Parameter(group=_panel(marks), converter=_converter(group))
            positional = any(isinstance(mark, Positional) for mark in marks)
            flags.append(_flag(parameter.name, Annotated[group, shown], parameter.default, positional))
    flags.sort(key=lambda flag: flag.kind)  # as a signature has them: stable, those without a flag first
    return Flags(flags, group_of, hints)


def _flag(name: str, annotation: object, default: object, positional: bool = False) -> Parameter:
    kind = Parameter.POSITIONAL_OR_KEYWORD if positional else Parameter.KEYWORD_ONLY
    return Parameter(name, kind, annotation=annotation, default=default)


def _converter(wanted: object) -> Callable[[Any, Sequence[cyclopts.Token]], Any] | None:
    """For whole numbers: cyclopts would round others."""
    if wanted in (int, int | None):
        return lambda _, tokens: int(tokens[0].value)
    if wanted in (list[int], list[int] | None):
        return lambda _, tokens: [int(token.value) for token in tokens]
    return None


def _panel(marks: Iterable[object]) -> cyclopts.Group:
    """The part of the help that a parameter of the flow itself stands in."""
    title = next((mark.title for mark in marks if isinstance(mark, Panel)), "Processing")
    return cyclopts.Group(title, sort_key=("Input", "Output", "Processing").index(title))


def _types(of: Any) -> dict[str, Any]:
    """Types without limits; a name of a backend as a choice of the registry's."""
    types = get_type_hints(of)
    for name, hint in get_type_hints(of, include_extras=True).items():
        for mark in getattr(hint, "__metadata__", ()):
            if isinstance(mark, BackendOf):
                types[name] = Literal[mark.role.names]
    return types


def _refusals(parameter: str, in_group: bool, error: ValidationError) -> list[RefusedInput]:
    """What pydantic found, by flag: of alternatives, each that did not fit; of a list, the element."""
    found: dict[str, tuple[object, list[str]]] = {}
    for one in error.errors():
        flag, *inner = (one["loc"] or (parameter,)) if in_group else (parameter, *one["loc"])
        name = ".".join(str(part) for part in (flag, *(index for index in inner if isinstance(index, int))))
        value = str(one["input"]) if isinstance(one["input"], Path) else one["input"]
        found.setdefault(name, (value, []))[1].append(explained(one))
    return [RefusedInput.of(name, value, ", or ".join(reasons)) for name, (value, reasons) in found.items()]
