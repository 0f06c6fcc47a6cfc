"""Pickles contain no module paths of this machine."""

import pickle
import textwrap

import cloudpickle


def test_functions_of_modules_have_no_paths(register, tmp_path):
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "other.py").write_text("RATE = 3\n")
    (folder / "__init__.py").write_text(
        textwrap.dedent("""
            def make():
                def inner(x):
                    from .other import RATE
                    return x * RATE
                return inner

            def where():
                return lambda: __file__
        """)
    )
    import sys

    sys.path.insert(0, str(tmp_path))
    try:
        import pack

        inner, where = pack.make(), pack.where()
        assert b"__file__" in cloudpickle.dumps(inner)
        register()
        pickled = cloudpickle.dumps(inner)
        assert b"__file__" not in pickled
        assert pickle.loads(pickled)(2) == 6
        # A path that the function itself uses is kept.
        assert pickle.loads(cloudpickle.dumps(where))() == str(folder / "__init__.py")
    finally:
        sys.path.remove(str(tmp_path))
        for name in ("pack", "pack.other"):
            sys.modules.pop(name, None)
