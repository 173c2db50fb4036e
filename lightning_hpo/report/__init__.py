"""The study's report: one HTML file that explains a search and its winner without a network.

``page.build_report(study_dir)`` writes it and ``python -m lightning_hpo.report STUDY_DIR`` rebuilds
it. Nothing here imports torch: what needs the model was drawn into ``final/figures`` beforehand.
"""
