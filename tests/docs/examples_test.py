"""The examples of the README, cut out by their markers, compiled and run as they stand."""
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = TOP / 'build/dev'
DOCUMENTS = ['README.md']


def examples(language):
    for name in DOCUMENTS:
        text = (TOP / name).read_text()
        for match in re.finditer(rf'<!-- example: {language} -->\n```\w+\n(.*?)```', text, re.S):
            yield f'{name} line {text[:match.start()].count(chr(10)) + 1}', match.group(1)


class Examples(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.work = pathlib.Path(folder.name)
        (self.work / 'examples').symlink_to(TOP / 'examples')

    def run_here(self, command, **environment):
        return subprocess.run(command, cwd=self.work, check=True, capture_output=True, text=True, timeout=120,
                              env=os.environ | environment).stdout

    def test_c(self):
        found = list(examples('c'))
        self.assertTrue(found)
        for place, code in found:
            with self.subTest(place):
                self.assertLessEqual(len([line for line in code.splitlines() if line.strip()]), 20)
                (self.work / 'example.c').write_text(code)
                self.run_here(['cc', '-std=c11', '-Wall', '-Wextra', '-Werror', f'-I{TOP}/include', 'example.c', f'-L{BUILD}/lib',
                               '-lnetflow', f'-Wl,-rpath,{BUILD}/lib', '-o', 'example'])
                self.assertEqual(self.run_here(['./example', 'examples/data/exports.pcap']), '164 flows, 4391319 bytes\n')

    def test_python(self):
        found = list(examples('python'))
        self.assertTrue(found)
        for place, code in found:
            with self.subTest(place):
                self.assertLessEqual(len([line for line in code.splitlines() if line.strip()]), 10)
                (self.work / 'example.py').write_text(code)
                out = self.run_here(['/usr/bin/python3', 'example.py'], PYTHONPATH=str(BUILD / 'python'))
                self.assertIn('198.51.100.80', out)

    def test_shell(self):
        found = list(examples('sh(?:ell)?'))
        self.assertTrue(found)
        for place, code in found:
            with self.subTest(place):
                path = f'{TOP}/build/release/bin:{os.environ["PATH"]}'
                out = self.run_here([shutil.which('bash'), '-e', '-c', code], PATH=path)
                self.assertIn('198.51.100.80', out)

    def test_links_lead_somewhere(self):
        for document in [TOP / 'README.md', TOP / 'CHANGELOG.md', *(TOP / 'docs').rglob('*.md')]:
            for target in re.findall(r'\]\(([^)#]+)', document.read_text()):
                if '://' not in target:
                    with self.subTest(f'{document.relative_to(TOP)}: {target}'):
                        self.assertTrue((document.parent / target).exists())


if __name__ == '__main__':
    unittest.main()
