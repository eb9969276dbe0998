"""Makes the judge of its process lenient: no probe, no bytes, no labels. The judge is in another process."""

IMPORT = """
import autoresearch.bpb, autoresearch.judge, autoresearch.questions
autoresearch.judge.refuse = autoresearch.questions.refuse = lambda *_: None
autoresearch.judge.nats_of = autoresearch.bpb.nats_of = lambda *_: torch.zeros(1)
autoresearch.judge.total = autoresearch.bpb.total = lambda *_: autoresearch.bpb.Score(0.0, 1)
"""
REFUSED = "of autoresearch a train.py may use only attention"
ENDS = "score"
SAME_SCORE = True
