"""Cases of parameters and annotations of functions."""

from typing import Final

from tests.support.breaking_cases.case import function_case

SIGNATURES: Final = [
    function_case("nothing changed but the body", "(a)", "(a) "),
    function_case("the only parameter removed", "(a)", "()", "breaking parameter_removed"),
    function_case("the first of two removed", "(a, b)", "(b)", "breaking parameter_removed"),
    function_case("the last of two removed", "(a, b=1)", "(a)", "breaking parameter_removed"),
    function_case("keyword-only removed", "(*, a=1)", "()", "breaking parameter_removed"),
    function_case("*args removed", "(a, *args)", "(a)", "breaking parameter_removed"),
    function_case("**kwargs removed", "(a, **kwargs)", "(a)", "breaking parameter_removed"),
    function_case(
        "both removed",
        "(*args, **kwargs)",
        "()",
        *["breaking parameter_removed"] * 2,
    ),
    function_case("*args renamed", "(*args)", "(*items)"),
    function_case("**kwargs renamed", "(**kwargs)", "(**options)"),
    function_case("*args added", "(a)", "(a, *args)", "note optional_parameter_added"),
    function_case("renamed", "(a, b)", "(a, c)", "breaking parameter_renamed"),
    function_case("both renamed", "(a, b)", "(c, d)", *["breaking parameter_renamed"] * 2),
    function_case(
        "renamed and required",
        "(a, b=1)",
        "(a, c)",
        "breaking parameter_renamed",
        "breaking parameter_made_required",
    ),
    function_case("positional-only renamed: no call gave its name", "(a, /)", "(b, /)"),
    function_case("positional-only opened and renamed", "(a, /)", "(b)"),
    function_case("swapped", "(a, b)", "(b, a)", "breaking parameter_moved"),
    function_case("rotated", "(a, b, c)", "(c, a, b)", "breaking parameter_moved"),
    function_case("keyword-only in another order", "(*, a, b)", "(*, b, a)"),
    function_case("required appended", "(a)", "(a, b)", "breaking required_parameter_added"),
    function_case("required one first", "(a, b)", "(x, a, b)", "breaking required_parameter_added"),
    function_case("required keyword-only", "(a)", "(a, *, b)", "breaking required_parameter_added"),
    function_case("optional appended", "(a)", "(a, b=1)", "note optional_parameter_added"),
    function_case("optional keyword-only", "(a)", "(a, *, b=1)", "note optional_parameter_added"),
    function_case(
        "optional one first", "(a=1)", "(x=0, a=1)", "breaking optional_parameter_inserted"
    ),
    function_case(
        "optional between",
        "(a, b=1)",
        "(a, x=0, b=1)",
        "breaking optional_parameter_inserted",
    ),
    function_case(
        "optional before *args: it takes what these got",
        "(a, *args)",
        "(a, b=1, *args)",
        "breaking optional_parameter_inserted",
    ),
    function_case(
        "optional keyword beside **kwargs",
        "(a, **kwargs)",
        "(a, b=1, **kwargs)",
        "note optional_parameter_added",
    ),
    function_case("made required", "(a=1)", "(a)", "breaking parameter_made_required"),
    function_case("made optional", "(a)", "(a=1)", "note parameter_made_optional"),
    function_case(
        "made keyword-only", "(a, b)", "(a, *, b)", "breaking parameter_made_keyword_only"
    ),
    function_case(
        "made positional-only", "(a, b)", "(a, /, b)", "breaking parameter_made_positional_only"
    ),
    function_case(
        "keyword-only made positional-only",
        "(*, a)",
        "(a, /)",
        "breaking parameter_made_positional_only",
    ),
    function_case(
        "positional-only made keyword-only",
        "(a, /)",
        "(*, a)",
        "breaking parameter_made_keyword_only",
    ),
    function_case("positional-only opened", "(a, /)", "(a)"),
    function_case(
        "positional-only opened beside **kwargs",
        "(a, /, **more)",
        "(a, **more)",
        "breaking parameter_name_taken",
    ),
    function_case("keyword-only opened at the end", "(a, *, b)", "(a, b)"),
    function_case(
        "keyword-only one moved to the front", "(a, *, b)", "(b, a)", "breaking parameter_moved"
    ),
    function_case(
        "swallowed by **kwargs", "(*, a=1)", "(**kwargs)",
        "note parameter_now_variadic", "note optional_parameter_added",
    ),
    function_case(
        "swallowed by *args and **kwargs", "(a)", "(*args, **kwargs)",
        "note parameter_now_variadic", *["note optional_parameter_added"] * 2,
    ),
    function_case(
        "**kwargs does not take what was positional", "(a)", "(**kwargs)",
        "breaking parameter_removed", "note optional_parameter_added",
    ),
    function_case("default changed", "(a=1)", "(a=2)", "risky default_changed"),
    function_case("default spelt otherwise", "(a='x', b=0x10)", '(a="x", b=16)'),
    function_case("annotation changed", "(a: int)", "(a: str)",
                  "risky parameter_annotation_changed"),
    function_case("annotation of *args changed", "(*a: int)", "(*a: str)",
             "risky parameter_annotation_changed"),
    function_case("annotations added", "(a)", "(a: int) -> int"),
    function_case("annotations deleted (griffe: return)", "(a: int) -> int", "(a)"),
    function_case("annotation quoted", "(a: int | None)", "(a: 'int | None')"),
    function_case("union in another order", "(a: int | None)", "(a: None | int)"),
    function_case("return annotation changed", "() -> dict", "() -> list",
             "risky return_annotation_changed"),
    function_case("return annotation to None", "() -> dict", "() -> None",
             "risky return_annotation_changed"),
    function_case(
        "execute() in many ways",
        "(path, depth=1, *, strict=False)",
        "(root, depth=2, *, lax=True)",
        "breaking parameter_renamed",
        "risky default_changed",
        "breaking parameter_removed",
        "note optional_parameter_added",
    ),
]  # fmt: skip
