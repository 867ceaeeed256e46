"""abd: data-free distillation from backdoored teachers, and its remedies.

Anti-Backdoor Data-Free Knowledge Distillation (Hong et al., ICML 2023).
"""

__version__ = "0.1.0"
