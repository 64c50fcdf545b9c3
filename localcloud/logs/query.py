"""The Logging query language, compiled to a test of one log entry.

Precedence is Google's own: NOT, then OR, then AND, so `a AND b OR c` is `a AND (b OR c)`
(docs.cloud.google.com/logging/docs/view/building-queries, "Operator precedence"). A blank or a new line is AND.
Functions (SEARCH, sample, log_id, ...) are refused by name, never ignored.
"""

import re
from collections.abc import Callable, Sequence

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, VisitError

from localcloud.logs.comparison import (
    Literal,
    Path,
    Predicate,
    QueryError,
    check_field,
    global_restriction,
    restriction,
)

MAX_QUERY_CHARACTERS = 20_000
"""cloud.google.com/logging/quotas."""

_STRING = r'"(?:[^"\\]|\\.)*"'
_BARE = r"[\w%$&+\/*#@?^][\w%$&+\/*#@?^-]*"
_SEGMENT = f"(?:{_STRING}|{_BARE})"
_KEYWORD = r"(?:AND|OR|NOT)(?![\w%$&+\/*#@?^.-])"
_GRAMMAR = rf"""
?start: all
?all: any ("AND"? any)*
?any: unary ("OR" unary)*
?unary: ("NOT" | "-") unary -> negation
      | "(" all ")"
      | TERM -> everywhere
      | TERM OPERATOR value -> comparison
      | FUNCTION
?value: (TERM | NUMBER) -> literal
      | "(" every_value ")"
?every_value: either_value ("AND"? either_value)*
?either_value: one_value ("OR" one_value)*
?one_value: ("NOT" | "-") one_value -> other_value
      | value

FUNCTION.2: /(?!{_KEYWORD})[A-Za-z_]\w*\(/
TERM: /(?!{_KEYWORD}){_SEGMENT}(?:\.{_SEGMENT})*/
NUMBER.2: /-[\d.]+/
OPERATOR: /<=|>=|!=|=~|!~|[<>=:]/
COMMENT.3: /--[^\n]*/
%ignore COMMENT
%ignore /\s+/
"""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "'": "'"}

_Value = Callable[[Path, str], Predicate]


def compile_query(text: str) -> Predicate:
    """A test of one entry; an empty query matches all. Raises QueryError with one sentence."""
    if len(text) > MAX_QUERY_CHARACTERS:
        raise QueryError(f"The query has {len(text)} characters; {MAX_QUERY_CHARACTERS} are allowed.")
    if not re.sub(r"--[^\n]*", "", text).strip():
        return lambda entry: True
    try:
        return _Compiler().transform(_PARSER.parse(text))
    except VisitError as error:
        raise error.orig_exc from None
    except RecursionError:
        raise QueryError("The query is nested too deeply.") from None
    except UnexpectedInput as error:
        where = f"line {error.line}, column {error.column}" if error.line > 0 else "the end"
        raise QueryError(
            f"The query cannot be read at {where}: {error.get_context(text).splitlines()[0].strip()!r}."
        ) from None


def field_path(text: str) -> Path:
    """The path of a field as queries and label extractors write it, e.g. `resource.labels."a.b"`."""
    if not re.fullmatch(rf"{_SEGMENT}(?:\.{_SEGMENT})*", text):
        raise QueryError(f"'{text}' is not the path of a field.")
    path = tuple(unquote(segment) for segment in re.findall(_SEGMENT, text))
    check_field(path)
    return path


class _Compiler(Transformer[Token, Predicate]):
    """Parse tree to predicates; the values of a comparison wait for its field and operator."""

    def everywhere(self, terms: Sequence[Token]) -> Predicate:
        return global_restriction(_literal(terms[0]))

    def comparison(self, parts: tuple[Token, Token, _Value]) -> Predicate:
        field, symbol, value = parts
        return value(field_path(field), str(symbol))

    def literal(self, tokens: Sequence[Token]) -> _Value:
        return lambda path, symbol: restriction(path, symbol, _literal(tokens[0]))

    def all(self, tests: Sequence[Predicate]) -> Predicate:
        return lambda entry: all(test(entry) for test in tests)

    def any(self, tests: Sequence[Predicate]) -> Predicate:
        return lambda entry: any(test(entry) for test in tests)

    def negation(self, tests: Sequence[Predicate]) -> Predicate:
        return lambda entry: not tests[0](entry)

    def every_value(self, values: Sequence[_Value]) -> _Value:
        return lambda path, symbol: self.all([value(path, symbol) for value in values])

    def either_value(self, values: Sequence[_Value]) -> _Value:
        return lambda path, symbol: self.any([value(path, symbol) for value in values])

    def other_value(self, values: Sequence[_Value]) -> _Value:
        return lambda path, symbol: self.negation([values[0](path, symbol)])


def _refuse_function(token: Token) -> Token:
    raise QueryError(f"The function {token[:-1]}() is not supported by localcloud; compare a field instead.")


def _literal(token: Token) -> Literal:
    if not token.startswith('"') and '"' in token:
        raise QueryError(f"'{token}' is no value: quote it as a whole.")
    return Literal(unquote(token), quoted=token.startswith('"'))


def unquote(token: str) -> str:
    """A value without its quotes; an escape that is not a string's own stays, for regular expressions."""
    if not token.startswith('"'):
        return str(token)
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), token[1:-1], flags=re.DOTALL)


_PARSER = Lark(_GRAMMAR, parser="lalr", lexer_callbacks={"FUNCTION": _refuse_function})
