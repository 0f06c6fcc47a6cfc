from . import base_tool


class Scorer:
    def score(self, x):
        if x < 0:
            from .inner.deep import answer

            return answer()
        if x > 100:
            return __import__("rare_tool").__name__
        return base_tool.__name__
