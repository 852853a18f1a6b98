;; SPDX-License-Identifier: GPL-2.0
;; functions.lisp THREADS UNITS: compile UNITS functions and call each, shared among
;; the threads; each function must return what it was made for.
(defvar *arguments* (mapcar #'parse-integer (last sb-ext:*posix-argv* 2)))
(defvar *threads* (first *arguments*))
(defvar *functions* (second *arguments*))

(defun work (thread)
  (loop for i from thread below *functions* by *threads*
        do (let ((made (compile nil `(lambda (n) (list n ,i)))))
             (unless (equal (funcall made thread) (list thread i))
               (error "function ~a is wrong" i)))
        count t))

(defvar *made*
  (mapcar #'sb-thread:join-thread
          (loop for thread below *threads*
                collect (sb-thread:make-thread #'work :arguments (list thread)))))
(unless (= (reduce #'+ *made*) *functions*)
  (error "only ~a functions were made" *made*))
