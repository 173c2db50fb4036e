"""The attributes by which controller, jobs and report mark a trial or a study."""

# Attributes after study.force_resume: of a study all that was mixed, of a trial by what it differs
# from those before.
FORCED_RESUMES, FORCED_RESUME = "forced_resumes", "forced_resume"

# Attribute of the trial that began with configured values: their names.
CONFIGURED = "configured"

# Attributes of a trial that took over folds, or that the Wilcoxon pruner stopped.
CONTINUES = "continues"
STOPPED_AFTER_FOLD = "stopped_after_fold"
# Of one that failed and was tried again; of one that failed by a mistake of the configuration.
RETRIED, MISTAKE = "retried", "mistake"
