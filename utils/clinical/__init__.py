"""The clinical question: does the model's risk say something beyond age, stage and grade?"""
