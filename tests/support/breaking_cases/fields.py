"""Cases of classes with fields: dataclasses, named tuples, models."""

from typing import Final

from tests.support.breaking_cases.case import Case, dataclass_case

NAMED_TUPLE: Final = "from typing import NamedTuple\nclass P(NamedTuple):\n    "
FIELDS: Final = [
    dataclass_case("field removed", "x: int; y: int", "x: int", "breaking field_removed P.y"),
    dataclass_case(
        "field renamed", "x: int; y: int", "x: int; z: int", "breaking field_renamed P.y"
    ),
    dataclass_case(
        "required field added",
        "x: int",
        "x: int; y: int",
        "breaking required_parameter_added P.__init__",
    ),
    dataclass_case(
        "optional field added",
        "x: int",
        "x: int; y: int = 1",
        "note optional_parameter_added P.__init__",
    ),
    dataclass_case(
        "field with a factory added",
        "x: int",
        "x: int; y: list = field(default_factory=list)",
        "note optional_parameter_added P.__init__",
    ),
    dataclass_case(
        "optional field inserted",
        "x: int = 1",
        "y: int = 2; x: int = 1",
        "breaking optional_parameter_inserted P.__init__",
    ),
    dataclass_case(
        "fields in another order",
        "x: int; y: int",
        "y: int; x: int",
        "breaking parameter_moved P.__init__",
    ),
    dataclass_case(
        "default removed",
        "x: int = 1",
        "x: int",
        "breaking parameter_made_required P.__init__",
    ),
    dataclass_case(
        "field's default changed", "x: int = 1", "x: int = 2", "risky default_changed P.__init__"
    ),
    dataclass_case(
        "field's annotation changed", "x: int",
        "x: str", "risky parameter_annotation_changed P.__init__"
    ),
    dataclass_case(
        "field made keyword-only",
        "x: int",
        "_: KW_ONLY; x: int",
        "breaking parameter_made_keyword_only P.__init__",
    ),
    dataclass_case("field left to itself", "x: int", "x: int; y: int = field(init=False)",
               "note added P.y"),
    dataclass_case("class variable", "x: int", "x: int; y: ClassVar[int] = 1", "note added P.y"),
    dataclass_case("field made keyword-only by its description", "x: int",
                   "x: int = field(kw_only=True)",
                   "breaking parameter_made_keyword_only P.__init__"),
    Case("dataclass without a made constructor",
         "from dataclasses import dataclass\n@dataclass(init=False)\nclass P:\n    x: int",
         "from dataclasses import dataclass\n@dataclass(init=False)\nclass P:\n    x: int\n"
         "    y: int", ("note added P.y",)),
    Case("pydantic's field that becomes required",
         "from pydantic import BaseModel, Field\nclass P(BaseModel):\n    x: int = Field(1)",
         "from pydantic import BaseModel, Field\nclass P(BaseModel):\n    x: int = Field(...)",
         ("breaking parameter_made_required P.__init__",)),
    Case("NamedTuple() field removed",
         "from typing import NamedTuple\nP = NamedTuple('P', [('x', int), ('y', int)])",
         "from typing import NamedTuple\nP = NamedTuple('P', [('x', int)])",
         ("breaking field_removed P.y",)),
    Case("namedtuple() whose fields cannot be read",
         "from collections import namedtuple\nP = namedtuple('P', names())",
         "from collections import namedtuple\nP = namedtuple('P', 'x')", ()),
    Case("namedtuple() whose fields can no longer be read",
         "from collections import namedtuple\nP = namedtuple('P', 'x')",
         "from collections import namedtuple\nP = namedtuple('P', names())",
         ("note became_imported P",)),
    Case("namedtuple() with an option",
         "from collections import namedtuple\nP = namedtuple('P', 'x y', module='m')",
         "from collections import namedtuple\nP = namedtuple('P', 'x', module='m')",
         ("breaking field_removed P.y",)),
    Case("dataclass made a plain class",
         "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int",
         "class P:\n    def __init__(self, x: int): self.x = x", ("risky decorator_changed P",)),
    Case("dataclass frozen", "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int",
         "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass P:\n    x: int",
         ("risky decorator_changed P", "breaking setter_removed P")),
    Case("field of a base dataclass",
         "from dataclasses import dataclass\n@dataclass\nclass _B:\n    x: int\n"
         "@dataclass\nclass P(_B):\n    y: int",
         "from dataclasses import dataclass\n@dataclass\nclass _B:\n    x: int\n    z: int\n"
         "@dataclass\nclass P(_B):\n    y: int",
         ("breaking required_parameter_added P.__init__",)),
    Case("NamedTuple field removed", NAMED_TUPLE + "x: int\n    y: int", NAMED_TUPLE + "x: int",
         ("breaking field_removed P.y",)),
    Case("NamedTuple field inserted before others", NAMED_TUPLE + "x: int = 1",
         NAMED_TUPLE + "y: int = 1\n    x: int = 1",
         ("breaking optional_parameter_inserted P.__init__",)),
    Case("namedtuple() field removed",
         "from collections import namedtuple\nP = namedtuple('P', 'x y')",
         "from collections import namedtuple\nP = namedtuple('P', ['x'])",
         ("breaking field_removed P.y",)),
    Case("namedtuple() to NamedTuple",
         "import collections\nP = collections.namedtuple('P', 'x, y', defaults=[1])",
         NAMED_TUPLE + "x: int\n    y: int = 1"),
    Case("pydantic's fields have no order",
         "from pydantic import BaseModel, Field\nclass P(BaseModel):\n    x: int\n    y: int",
         "from pydantic import BaseModel, Field\nclass P(BaseModel):\n    y: int\n    x: int\n"
         "    z: int = Field(1)\n    w: int = Field(gt=0)",
         ("note optional_parameter_added P.__init__",
          "breaking required_parameter_added P.__init__")),
    Case("field of a model below a model",
         "from pydantic import BaseModel\nclass B(BaseModel): ...\nclass P(B):\n    x: int",
         "from pydantic import BaseModel\nclass B(BaseModel): ...\nclass P(B): ...",
         ("breaking field_removed P.x",)),
]  # fmt: skip
