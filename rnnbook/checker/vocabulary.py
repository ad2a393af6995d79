"""The names of functions, operators, styles and accents that formulas are read with."""

FUNCTION_NAMES = {
    "tanh": "tanh", "exp": "exp", "ln": "ln", "log": "ln", "cosh": "cosh", "sinh": "sinh", "sin": "sin", "cos": "cos",
    "tan": "tan", "arctan": "arctan", "coth": "coth", "sech": "sech", "sign": "sign", "sgn": "sign", "ReLU": "relu",
    "relu": "relu", "softplus": "softplus", "sigmoid": "sigma", "sigm": "sigma", "artanh": "artanh",
    "arctanh": "artanh",
    "logistic": "sigma", "sig": "sigma", "atanh": "artanh",
}
OPERATORS = {
    "softmax": "softmax", "diag": "diag", "Diag": "diag", "tr": "tr", "Tr": "tr", "trace": "tr", "det": "det",
    "vec": "vec",
    "max": "max", "min": "min", "logsumexp": "logsumexp", "LSE": "logsumexp",
}
STYLES = frozenset("mathbf boldsymbol mathcal mathsf mathtt mathfrak mathscr mathit".split())
ACCENTS = frozenset(
    "hat tilde bar dot ddot vec check breve overrightarrow overleftarrow underline mathring acute grave".split()
)
BIG = {"sum": "sum", "prod": "prod", "bigodot": "hprod"}
BINARY = {"cdot": "mul", "times": "mul", "*": "mul", "odot": "had", "oslash": "hdiv", "otimes": "kron", "/": "div"}
DOTS = r"dots leave it to the reader what they stand for: use \sum or \prod with bounds"
CLOSERS = {"(": ")", "[": "]", "{": "}"}
